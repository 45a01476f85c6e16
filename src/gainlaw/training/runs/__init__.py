"""A run of an experiment: the units of its design, done, and the tables they give."""
