"""The configurations of published models that come with the package: their sizes, without any weights."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any

__all__ = ["known_config", "list_known"]


def known_config(hub_name: str) -> dict[str, Any] | None:
    """Return the configuration of a published model, or None where the package has none.

    Parameters
    ----------
    hub_name : str
        The name on the Hugging Face hub, such as ``FacebookAI/xlm-roberta-base``; upper and lower case count.

    Returns
    -------
    dict or None
        What ``transformers.AutoConfig.for_model(**config)`` takes; a new one at each call. It decides the
        shapes of the weights and the work of a forward pass, not how text is generated.

    Notes
    -----
    Sources are listed in ``configs/SOURCES.md``.

    Examples
    --------
    >>> known_config("facebook/xlm-roberta-xxl")["hidden_size"]
    4096
    >>> known_config("nobody/has-this") is None
    True
    """
    text = _texts().get(hub_name)
    return None if text is None else json.loads(text)


def list_known() -> tuple[str, ...]:
    """Return the names that `known_config` knows, sorted; several names can share one architecture.

    Examples
    --------
    >>> "bigscience/bloomz-7b1" in list_known()
    True
    """
    return tuple(sorted(_texts()))


@cache
def _texts() -> dict[str, str]:
    """Return name -> configuration as JSON: text, so that no caller can change what the next one gets."""
    texts: dict[str, str] = {}
    folder = resources.files("gainlaw.training") / "configs"
    for file in sorted(folder.iterdir(), key=lambda each: each.name):
        if not file.name.endswith(".json"):
            continue
        family = json.loads(file.read_text(encoding="utf-8"))
        for name, own in family["models"].items():
            texts[name] = json.dumps(family["shared"] | own)
        for name, original in family["same_as"].items():
            texts[name] = texts[original]
    return texts
