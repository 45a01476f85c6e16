"""How phases are done, in a worker process: everything here decides results, and is in the keys of units."""
