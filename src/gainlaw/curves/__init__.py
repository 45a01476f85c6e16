"""One curve at a time: estimates, resampling, profiles, comparison, and what the points cannot tell."""

from gainlaw._compiled import place_caches

place_caches()
