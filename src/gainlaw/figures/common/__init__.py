"""What figures share: their look, the fits that they are drawn from, and what they say of themselves to a report."""
