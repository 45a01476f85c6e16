"""Fits: a model sampled, summarised, checked, recorded and kept."""
