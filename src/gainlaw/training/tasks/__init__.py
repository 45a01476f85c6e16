"""The tasks of the runner: every module here has a tuple ``TASKS``, and nothing else has to name them."""
