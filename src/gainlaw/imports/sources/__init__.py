"""The kinds of files that results are read from, one module each; they are found here by themselves."""
