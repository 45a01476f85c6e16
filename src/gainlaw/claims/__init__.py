"""Claims: a small grammar, posterior probabilities, verdicts on two scales, and a frequentist line.

>>> from gainlaw.claims.grammar.parse import parse_claim
>>> claim = parse_claim("slope[task=xnli] < slope[task=xcopa]")
>>> [str(term) for term in claim.terms()]
['slope[task=xnli]', 'slope[task=xcopa]']
"""
