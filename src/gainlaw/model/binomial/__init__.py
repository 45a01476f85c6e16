"""The model of counts on the chance-corrected log-odds scale."""
