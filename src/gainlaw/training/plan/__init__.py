"""What an experiment will do and cost, before it does."""
