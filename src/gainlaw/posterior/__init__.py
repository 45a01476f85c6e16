"""Estimands: from posterior draws to gains at any size, slopes, ratios, crossings and rankings."""
