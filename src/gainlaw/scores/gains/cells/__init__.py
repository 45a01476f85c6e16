"""From the cells of a table to gains: what they may hold, and what is wrong with them."""
