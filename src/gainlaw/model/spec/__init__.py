"""What a hierarchical model is: its terms, its priors, its model matrix."""
