"""From the cells of a table to scores: what they may hold, and what is wrong with them."""
