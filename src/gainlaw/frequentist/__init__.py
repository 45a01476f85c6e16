"""Frequentist tests beside the posterior: arrays in, a frozen result out."""
