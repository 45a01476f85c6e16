"""What a task is to the runner: its items, where they are read from, and how answers to them are scored."""
