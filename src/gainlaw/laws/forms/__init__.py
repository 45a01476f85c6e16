"""The laws, one a file: each module here that has a `LAW` is a law of the package."""
