"""The model of a fit for other programs: for Stan as a program with its data, for bambi and brms as a formula."""
