"""The phases of a run, one object each: what it asks for, what it needs and costs, how it is done, what it leaves."""
