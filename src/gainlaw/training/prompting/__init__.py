"""The prompted protocol: answers ranked by their likelihood, over several prompts; prompt consistency.

`templates` and `english` turn items into prompts and answers, `encoding` into tokens; `likelihood` scores
them, `ranking` chooses, `protocol` makes the rows of an evaluation, `agreement` measures how far prompts agree,
and `consistency` trains on that agreement. `likelihood` and `distillation` are torch work, imported late.
"""

from gainlaw.training.prompting.agreement import count_labels, fleiss_kappa
from gainlaw.training.prompting.consistency import ConsistencyResult, ConsistencySettings, train_consistency
from gainlaw.training.prompting.english import builtin_templates, find_templates
from gainlaw.training.prompting.protocol import PromptScores, evaluate_prompts
from gainlaw.training.prompting.ranking import RankedItem, choose, rank_items
from gainlaw.training.prompting.templates import Request, Template

__all__ = [
    "ConsistencyResult",
    "ConsistencySettings",
    "PromptScores",
    "RankedItem",
    "Request",
    "Template",
    "builtin_templates",
    "choose",
    "count_labels",
    "evaluate_prompts",
    "find_templates",
    "fleiss_kappa",
    "rank_items",
    "train_consistency",
]
