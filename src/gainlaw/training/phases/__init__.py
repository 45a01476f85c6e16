"""The phases: what one unit does, with files as its only interface."""
