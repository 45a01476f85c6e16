"""Units of work: named by what determines them, done once, kept in a store. Knows nothing of what is done."""
