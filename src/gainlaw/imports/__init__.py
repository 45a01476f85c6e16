"""Other people's result files: read as they are, paired by rules, and made into a table of evaluations."""
