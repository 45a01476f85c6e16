"""The steps of the analysis: each module has ``run(inputs, output, **parameters)``."""
