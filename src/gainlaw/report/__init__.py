"""The report: one self-contained page, the paper, and every table and figure as files of their own."""
