"""A study before it is run: the power to detect a slope, the width of its interval, and what to add for the cost."""
