"""The prompted protocol: answers ranked by their likelihood, over several prompts; prompt consistency.

`templates` and `english` turn items into prompts and answers, `encoding` into tokens; `likelihood` scores
them, `ranking` chooses, `protocol` makes the rows of an evaluation, `agreement` measures how far prompts agree,
and `consistency` trains on that agreement.
"""
