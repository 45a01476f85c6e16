"""The runner: baseline and intermediate-trained zero-shot scores at several model sizes.

Needs the extra ``gainlaw[train]``. It ends where the statistics begin: a folder with ``evaluations.csv`` and,
beside it, ``predictions.parquet``.
"""
