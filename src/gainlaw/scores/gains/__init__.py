"""Gains: accuracy with intermediate training minus accuracy without, with its sampling covariance."""
