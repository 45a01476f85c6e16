"""Checks of a fit: what holds its numbers up, and what does not."""
