"""Units of work: named by what determines them, done once, kept in a store."""
