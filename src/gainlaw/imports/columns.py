"""What must be equal for two scores to be compared, what is only told, and the columns of both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter

from gainlaw.imports.record import Score

__all__ = ["KEY", "key_of", "protocol_of"]

KEY = ("shots", "chat_template", "task_version", "prompt", "split")
"""What must be equal for two scores to be compared, beside task, language and metric, unless it may differ."""

_KEY_OF: Callable[[Score], tuple[str, ...]] = attrgetter("task", "language", "metric", *KEY)


def key_of(score: Score, across: Sequence[str] = ()) -> tuple[str, ...]:
    """Return what must be equal for two scores to be compared.

    Parameters
    ----------
    score : Score
        A score.
    across : sequence of str
        What may differ.

    Examples
    --------
    >>> score = Score(model="m", task="xnli", language="sw", metric="acc", score=0.5, file="f", shots="5")
    >>> key_of(score)[:4], key_of(score, ["shots"])[3]
    (('xnli', 'sw', 'acc', '5'), '')
    """
    key = _KEY_OF(score)
    if not across:
        return key
    return (*key[:3], *("" if name in across else part for name, part in zip(KEY, key[3:], strict=True)))


def protocol_of(score: Score, across: Sequence[str] = ()) -> str:
    """Return how a score was got, in words: the column ``protocol``.

    Examples
    --------
    >>> score = Score(model="m", task="xnli", score=0.5, file="f", shots="5", chat_template="yes", task_version="1")
    >>> protocol_of(score), protocol_of(score, ["task_version"])
    ('5-shot, chat template, version 1', '5-shot, chat template')
    """
    words = {
        "shots": f"{score.shots}-shot" if score.shots else "",
        "chat_template": "chat template" if score.chat_template == "yes" else "",
        "task_version": f"version {score.task_version}" if score.task_version else "",
    }
    return ", ".join(word for name, word in words.items() if word and name not in across)
