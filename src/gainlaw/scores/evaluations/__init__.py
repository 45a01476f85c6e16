"""Evaluations: the table of scores, its reader, its schema, what pairs in it, and what is odd about it."""
