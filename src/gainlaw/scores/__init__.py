"""Scores and what is made of them: evaluations, gains, and what is known of metrics, tasks and languages."""
