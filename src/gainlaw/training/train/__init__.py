"""Training: models, data, objectives and the loop."""
