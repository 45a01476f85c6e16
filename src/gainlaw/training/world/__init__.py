"""A synthetic multilingual world: what the ladder's models learn from, and are tested on."""
