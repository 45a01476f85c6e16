"""How a posterior is computed: `exact`, `nuts`, and what they share."""
