"""The grammar of claims: from text to a syntax tree, and what its expressions are."""
