"""Which model is compared with which: rules and lists that the caller gives, and suggestions from the names."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gainlaw.errors import InputError, Problem
from gainlaw.imports.wishes import pattern_of, placeholders
from gainlaw.sizes import size_in_name

__all__ = ["Pair", "pair_models", "read_pairs", "suggest_pairs"]

#: Words by which names say that a model is as it was pretrained.
_PRETRAINED = {"base", "pt", "pretrain", "pretrained"}
#: Words by which names tell sizes apart.
_SIZES = {"nano", "tiny", "mini", "small", "medium", "large", "xl", "xxl"}
#: What a training is called of which the names say nothing.
_UNNAMED = "post-training"

_PLACE = re.compile(r"\{\w+\}")
_TOKEN = re.compile(r"[^-_./ ]+|[-_./ ]+")


@dataclass(frozen=True, slots=True)
class Pair:
    """A model after intermediate training, and the one it began from.

    Attributes
    ----------
    model, baseline : str
        As the files call them.
    intermediate : str
        What the training is called.
    """

    model: str
    baseline: str
    intermediate: str


def pair_models(
    models: Sequence[str], rules: Sequence[str] = (), listed: Mapping[str, tuple[str, str]] | None = None
) -> tuple[Pair, ...]:
    """Pair models by rules and by a list.

    Parameters
    ----------
    models : sequence of str
        The models that there are scores of.
    rules : sequence of str
        ``"{base}-instruct={base}"``: the model after training, and its baseline. What stands in braces is any text, the
        same on both sides; without a slash in the rule, names are compared without their organisation, and without
        regard to case.
    listed : mapping of str to (str, str), optional
        Model -> its baseline and what the training is called (blank: by the names).

    Returns
    -------
    tuple of Pair
        In the order of the models.

    Raises
    ------
    InputError
        If a rule cannot be read or fits nothing, a baseline has no scores, a model has two baselines, or a baseline is
        itself compared with another.

    Examples
    --------
    >>> pair_models(["a/m-1b", "a/m-1b-Instruct"], ["{base}-instruct={base}"])
    (Pair(model='a/m-1b-Instruct', baseline='a/m-1b', intermediate='instruct'),)
    """
    found: dict[str, dict[Pair, None]] = {}
    problems: list[Problem] = []
    for rule in rules:
        for pair in _by_rule(rule, models, problems):
            found.setdefault(pair.model, {})[pair] = None
    for model, (baseline, name) in (listed or {}).items():
        wanted = _by_list(model, baseline, name, models, problems)
        if wanted is not None:
            found.setdefault(wanted.model, {})[wanted] = None
    for model, several in found.items():
        if len({pair.baseline for pair in several}) > 1:
            names = ", ".join(pair.baseline for pair in several)
            problems.append(Problem(f"{model} has several baselines: {names}", hint="give narrower rules"))
    for model in sorted(found.keys() & {pair.baseline for several in found.values() for pair in several}):
        what = f"{model} is the baseline of another model, and has a baseline itself"
        problems.append(Problem(what, hint="compare both with the first model of the chain"))
    if problems:
        raise InputError(problems)
    return tuple(next(iter(found[model])) for model in models if model in found)


def _by_rule(rule: str, models: Sequence[str], problems: list[Problem]) -> list[Pair]:
    after, mark, before = (part.strip() for part in rule.partition("="))
    if not (after and mark and before) or set(placeholders(before)) - set(placeholders(after)):
        hint = (
            "write --pair '{base}-instruct={base}': what stands in braces on the right stands on the left too"
        )
        problems.append(Problem(f"--pair {rule!r} cannot be read", hint=hint))
        return []
    pattern = pattern_of(after)
    names = {model: model if "/" in after else model.rpartition("/")[2] for model in models}
    known: dict[str, list[str]] = {}
    for model in models:
        name = model if "/" in before else model.rpartition("/")[2]
        known.setdefault(name.casefold(), []).append(model)
    pairs, lonely = [], []
    for model, name in names.items():
        fits = pattern.fullmatch(name)
        if fits is None:
            continue
        wanted = before.format(**fits.groupdict())
        bases = [each for each in known.get(wanted.casefold(), ()) if each != model]
        same = [each for each in bases if each.rpartition("/")[0] == model.rpartition("/")[0]]
        if len(same or bases) == 1:
            baseline = (same or bases)[0]
            pairs.append(Pair(model, baseline, _label(after, before, fits.groupdict())))
        elif bases:
            what = f"{model}: several models are called {wanted}: {', '.join(bases)}"
            problems.append(Problem(what, hint="write the rule with their organisations"))
        else:
            lonely.append(f"{model} (no {wanted})")
    if not pairs and not problems:
        hint = f"it fits {', '.join(lonely[:4])}" if lonely else f"the models are {', '.join(models[:8])}"
        problems.append(Problem(f"--pair {rule!r} pairs no models", hint=hint))
    return pairs


def _label(after: str, before: str, said: Mapping[str, str]) -> str:
    """Return what a rule calls the training: the braces that only its left side has, else its own words there."""
    own = [said[name] for name in placeholders(after) if name not in placeholders(before)]
    return "-".join(own) if own else _difference(_PLACE.sub("", after), _PLACE.sub("", before))


def _difference(model: str, baseline: str) -> str:
    """Return the words of a model's name that its baseline's does not have."""
    words = [part for part in _TOKEN.findall(model.rpartition("/")[2]) if part[0] not in "-_./ "]
    there = [part.casefold() for part in _TOKEN.findall(baseline.rpartition("/")[2])]
    own = [word for word in words if word.casefold() not in there]
    return "-".join(own) or _UNNAMED


def _by_list(
    model: str, baseline: str, name: str, models: Sequence[str], problems: list[Problem]
) -> Pair | None:
    exact = [_called(each, models) for each in (model, baseline)]
    for text, each in zip((model, baseline), exact, strict=True):
        if each is None:
            hint = f"the models are {', '.join(models[:8])}"
            problems.append(
                Problem(f"the list of pairs names {text!r}, of which there is no score", hint=hint)
            )
    if exact[0] is None or exact[1] is None:
        return None
    return Pair(exact[0], exact[1], name or _difference(exact[0], exact[1]))


def _called(name: str, models: Sequence[str]) -> str | None:
    if name in models:
        return name
    short = [model for model in models if model.rpartition("/")[2] == name]
    return short[0] if len(short) == 1 else None


def read_pairs(path: str | os.PathLike[str]) -> dict[str, tuple[str, str]]:
    """Read a list of pairs.

    Parameters
    ----------
    path : path-like
        A ``.csv`` or ``.parquet`` file with the columns ``intermediate`` (the model after training) and ``baseline``,
        and perhaps ``name`` (what the training is called).

    Raises
    ------
    InputError
        If the file cannot be read, lacks a column or names a model twice.
    """
    from gainlaw.scores.reading.cells import TableFaults, parse_text
    from gainlaw.scores.reading.files import read_raw

    raw = read_raw(path)
    faults = TableFaults(raw.lines, raw.source)
    for column in ("intermediate", "baseline"):
        if column not in raw.frame:
            faults.add("the column is missing", column=column, rows=(1,))
    faults.raise_any()
    columns = {name: parse_text(raw.frame[name]) for name in ("intermediate", "baseline")}
    for name, cells in columns.items():
        faults.add("no value", column=name, where=cells.eq("").to_numpy())
    twice = columns["intermediate"].duplicated(keep=False).to_numpy()
    faults.add("the model stands in several rows", column="intermediate", where=twice)
    faults.raise_any()
    names = parse_text(raw.frame["name"]) if "name" in raw.frame else [""] * len(raw.frame)
    return {
        str(model): (str(baseline), str(name))
        for model, baseline, name in zip(columns["intermediate"], columns["baseline"], names, strict=True)
    }


def suggest_pairs(models: Iterable[str]) -> tuple[str, ...]:
    """Return rules that pair models whose names differ by a word, for the caller to approve.

    Parameters
    ----------
    models : iterable of str
        The models that there are scores of.

    Returns
    -------
    tuple of str
        Those that follow from most names first.

    Examples
    --------
    >>> suggest_pairs(["m-1b", "m-1b-chat", "m-7b", "m-7b-chat", "bloom-3b", "bloomz-3b"])
    ('{base}-chat={base}', 'bloomz-{b}=bloom-{b}')
    """
    tokens = {name: tuple(_TOKEN.findall(name.rpartition("/")[2])) for name in models}
    of_size: dict[str, list[str]] = {}
    for name in tokens:
        of_size.setdefault(size_in_name(name)[1].casefold(), []).append(name)
    rules: Counter[str] = Counter()
    spelled: dict[str, str] = {}  # a rule does not tell capitals from small letters
    for name in tokens:
        others = of_size[size_in_name(name)[1].casefold()]
        bases = [other for other in others if other != name and _rule(tokens[name], tokens[other])]
        if bases:
            base = min(bases, key=lambda each: (not _says_pretrained(tokens[each]), len(tokens[each]), each))
            rule = _rule(tokens[name], tokens[base])
            rules[spelled.setdefault(rule.casefold(), rule)] += 1
    return tuple(rule for rule, _ in rules.most_common())


def _says_pretrained(tokens: Iterable[str]) -> bool:
    return any(token.casefold() in _PRETRAINED for token in tokens)


def _rule(after: tuple[str, ...], before: tuple[str, ...]) -> str:
    """Return the rule by which one name follows from another, or an empty string where it does not."""
    start = 0
    while start < min(len(after), len(before)) and after[start].casefold() == before[start].casefold():
        start += 1
    end = 0
    while (
        end < min(len(after), len(before)) - start
        and after[-1 - end].casefold() == before[-1 - end].casefold()
    ):
        end += 1
    new, old = "".join(after[start : len(after) - end]), "".join(before[start : len(before) - end])
    grown = new.casefold().startswith(old.casefold()) and 0 < len(new) - len(old) <= 2
    pretrained = old.strip("-_./ ").casefold() in _PRETRAINED
    words = {word.casefold() for word in _TOKEN.findall(new)}
    if not (pretrained or (new and (not old or grown))) or words & (_PRETRAINED | _SIZES):
        return ""
    head, tail = ("{a}" if end else "{base}") if start else "", "{b}" if end else ""
    # A separator belongs to the words that are there on one side only, unless both sides have it.
    left = after[start - 1] if start and after[start - 1][0] in "-_./ " else ""
    right = after[len(after) - end] if end and after[len(after) - end][0] in "-_./ " else ""
    return f"{head}{left}{new}{right}{tail}={head}{left}{old}{right}{tail}"
