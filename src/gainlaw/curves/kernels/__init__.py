"""Compiled estimation of one curve."""
