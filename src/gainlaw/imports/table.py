"""Scores and pairs to a table of evaluations, with what the two sides of each pair differ in."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gainlaw.errors import InputError, Problem
from gainlaw.imports.columns import KEY, key_of, protocol_of
from gainlaw.imports.differences import compare_sides
from gainlaw.imports.names import family_of
from gainlaw.imports.pairing import Pair, pair_models, read_pairs, suggest_pairs
from gainlaw.imports.reading import Found, read_results, settle
from gainlaw.imports.record import Items, Score
from gainlaw.imports.wishes import Wishes, parse_task_rule
from gainlaw.notes import Note, count_of
from gainlaw.scores.evaluations.columns import BASELINE
from gainlaw.scores.evaluations.table import Evaluations, evaluations_from_frame
from gainlaw.scores.metrics import find_metric
from gainlaw.sizes import format_params, parse_size, size_in_name

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["import_results", "pair_scores"]

#: Rules that are suggested at most; and that are followed, to see which of them pair most.
_SUGGESTED, _FOLLOWED = 8, 40
#: Sizes of a file and of a name that are so many times apart deserve a look; and are of two units.
_APART, _OTHER_UNIT = 2.0, 300.0


def import_results(
    paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    pair: str | Sequence[str] = (),
    pairs: str | os.PathLike[str] | Mapping[str, str] | None = None,
    params: Mapping[str, float | str] | None = None,
    families: Mapping[str, str] | None = None,
    tasks: str | Sequence[str] = (),
    metrics: str | Sequence[str] = (),
    language: str = "",
    n_examples: float | Mapping[str, float] | None = None,
    across: str | Sequence[str] = (),
    exclude: str | Sequence[str] = (),
    rename: Mapping[str, str] | None = None,
    percent: bool = False,
    gold: str | os.PathLike[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluations:
    """Read the results of other programs and make evaluations of them: baselines, and what is compared with them.

    Parameters
    ----------
    paths : path-like or sequence of path-like
        Files and folders; what a file is, its content says.
    pair : str or sequence of str
        Rules such as ``"{base}-instruct={base}"``: the model after training, and its baseline.
    pairs : path-like or mapping of str to str, optional
        Model after training -> baseline; or a file with the columns ``intermediate`` and ``baseline``.
    params : mapping of str to float or str, optional
        Sizes of models, such as ``{"xlm-r": "560M"}``, where neither a file nor the name says one, or wrongly.
    families : mapping of str to str, optional
        The series of models; by default what stands before the size in their names.
    tasks : str or sequence of str
        How names in the files are read: ``"arc_{language}=arc"``, ``"Swahili=xnli:sw"``, ``"{language}=xnli"``.
    metrics : str or sequence of str
        Metrics to be taken where a file has several, the first that is there.
    language : str
        The language of tasks whose names say none; without it they are read as English, with a warning.
    n_examples : float or mapping of str to float, optional
        Items scored where the files do not say: of all, of a task, or of ``task:language``.
    across : sequence of {"shots", "chat_template", "task_version", "prompt", "split"}
        What may differ between a model and its baseline. Without it, scores that differ in it are not compared.
    exclude : str or sequence of str
        Patterns of files to pass over.
    rename : mapping of str to str, optional
        Columns of tables to be read under another name.
    percent : bool
        Whether tables hold scores in per cent.
    gold : path-like, optional
        The folder of the right answers to predictions of XTREME: ``TASK/test-LANGUAGE.tsv``.
    progress : callable, optional
        Called with the number of files that are looked at and of all.

    Returns
    -------
    Evaluations
        With columns ``shots, chat_template, task_version, harness, prompt_digest, revision, params_from`` and
        ``differs`` (what a row and its baseline differ in) where there are such, the answers to the items where they
        were kept, and notes on what was read, left out and why.

    Raises
    ------
    InputError
        If nothing can be read, no pairs are given (the message has rules to choose from), a size is unknown, or one
        model has two scores of the same task, language and settings.

    Examples
    --------
    >>> import json, pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> for model, score, error in (("m-1b", 0.5, 0.05), ("m-1b-chat", 0.6, 0.049)):
    ...     results = {"xnli_sw": {"acc": score, "acc_stderr": error}}
    ...     config = {"model_args": f"pretrained={model}"}
    ...     _ = (folder / f"{model}.json").write_text(json.dumps({"results": results, "config": config}))
    >>> evals = import_results(folder, pair="{base}-chat={base}", n_examples=101)
    >>> evals.gains().frame[["language", "gain"]].round(1).values.tolist()
    [['sw', 10.0]]
    """
    wishes = Wishes(
        tasks=tuple(parse_task_rule(text) for text in _several(tasks)),
        metrics=_several(metrics),
        language=language,
        n_examples=_numbers(n_examples),
        rename=rename or {},
        percent=percent,
        gold=gold,
    )
    allowed = [name for name in _several(across) if name not in KEY]
    if allowed:
        hint = f"allowed: {', '.join(KEY)}"
        raise InputError(Problem(f"across {', '.join(allowed)!r} cannot be", hint=hint))
    if gold is not None and not Path(gold).is_dir():
        raise InputError(Problem(f"gold: there is no folder {gold}"))
    places = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    read = read_results(places, wishes, exclude=_several(exclude), progress=progress)
    try:
        found = settle(read, wishes)
    except InputError as error:
        if pair or pairs is not None:
            raise
        # What else is to be said is asked for at once.
        raise InputError([*error.problems, *_ask_for_pairs(_models_of(read))]) from None
    if isinstance(pairs, str | os.PathLike):
        listed = read_pairs(pairs)
    else:
        listed = {model: (baseline, "") for model, baseline in (pairs or {}).items()}
    first = str(places[0]) if Path(places[0]).name else Path(places[0]).resolve().name
    source = first if len(places) == 1 else f"{first} and {len(places) - 1} more"
    return pair_scores(
        found,
        _several(pair),
        listed,
        {name: _size(name, size) for name, size in (params or {}).items()},
        families or {},
        _several(across),
        source,
    )


def _several(value: str | Sequence[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) and value else tuple(value)


def _numbers(value: float | Mapping[str, float] | None) -> dict[str, float]:
    numbers = {} if value is None else dict(value) if isinstance(value, Mapping) else {"": value}
    bad = [f"{number!r}" for number in numbers.values() if not (number >= 1 and number == int(number))]
    if bad:
        raise InputError(Problem(f"n_examples {', '.join(bad)}: numbers of items are whole and above 0"))
    return numbers


def _size(name: str, size: float | str) -> float:
    value = parse_size(size) if isinstance(size, str) else float(size)
    if not (math.isfinite(value) and value >= 1):
        raise InputError(
            Problem(f"params of {name}: {size!r} cannot be a size", hint="for example 560M or 13e9")
        )
    return float(round(value))


def pair_scores(
    found: Found,
    rules: Sequence[str],
    listed: Mapping[str, tuple[str, str]],
    sizes: Mapping[str, float],
    families: Mapping[str, str],
    across: Sequence[str],
    source: str,
) -> Evaluations:
    """Pair the models of scores and make a table of evaluations.

    Parameters
    ----------
    found : Found
        Scores with their languages and numbers of items.
    rules, listed
        As in `gainlaw.imports.pairing.pair_models`.
    sizes, families : mapping
        Of models, where they are given.
    across : sequence of str
        What may differ between a model and its baseline.
    source : str
        What the table is called.

    Raises
    ------
    InputError
        As `import_results`.
    """
    models = _models_of(found)
    if not rules and not listed:
        grave = [Problem(note.message) for note in found.notes if note.severity == "warning"]
        raise InputError([*_ask_for_pairs(models), *grave])
    pairs = pair_models(models, rules, listed)
    role: dict[str, Pair | None] = dict.fromkeys((pair.baseline for pair in pairs), None)
    role |= {pair.model: pair for pair in pairs}
    scores = [score for score in found.scores if score.model in role]
    _refuse_two_runs(scores, across)
    known, notes = _sizes_of(scores, sizes)
    left = [model for model in models if model not in role]
    if left:
        what = f"{count_of(len(left), 'model')} without a pair, left out: {', '.join(left[:8])}"
        notes.append(Note("import", what + (", ..." if len(left) > 8 else ""), standing=True))
    differs, foreign, said = compare_sides(scores, pairs, across)
    answers = {id(score): score.items for score in scores if score.items and id(score) not in foreign}
    frame, items = _frames(scores, role, known, families, across, differs, answers)
    evaluations = evaluations_from_frame(frame, source, items, params_unit="1")
    kept = (*found.notes, *notes, *said, *evaluations.notes)
    return replace(evaluations, notes=tuple(sorted(kept, key=lambda note: note.severity != "warning")))


def _models_of(found: Found) -> list[str]:
    return list(dict.fromkeys(score.model for score in found.scores))


def _ask_for_pairs(models: Sequence[str]) -> list[Problem]:
    shown = ", ".join(models[:12]) + (f" and {len(models) - 12} more" if len(models) > 12 else "")
    what = f"which model is compared with which? Scores of {count_of(len(models), 'model')}: {shown}"
    suggested = suggest_pairs(models)
    if not suggested:
        what = f"{what}; no name says that it is another of them after training"
        hint = "write --pair 'MODEL=BASELINE', --pair '{base}-instruct={base}' or --pairs FILE (intermediate,baseline)"
        return [Problem(what, hint=hint)]
    problems = [Problem(what, hint="no pairs are assumed; give those of these that are meant")]
    fitting = sorted(_fitting(models, suggested[:_FOLLOWED]), key=lambda each: -len(each[1]))
    for rule, pairs in fitting[:_SUGGESTED]:
        shown = ", ".join(f"{pair.model} after {pair.baseline}" for pair in pairs[:4])
        more = ", ..." if len(pairs) > 4 else ""
        problems.append(Problem(f"--pair '{rule}'", hint=f"{count_of(len(pairs), 'pair')}: {shown}{more}"))
    more_rules = max(len(suggested) - _FOLLOWED, 0) + max(len(fitting) - _SUGGESTED, 0)
    if more_rules:
        problems.append(Problem(f"and {count_of(more_rules, 'rule')} that pair fewer models"))
    return problems


def _fitting(models: Sequence[str], rules: Sequence[str]) -> Iterator[tuple[str, tuple[Pair, ...]]]:
    """Give the rules that can be followed, with what they pair, those that pair the same once."""
    seen: set[tuple[tuple[str, str], ...]] = set()
    for rule in rules:
        with suppress(InputError):  # two models of one name, say
            pairs = pair_models(models, [rule])
            models_of = tuple((pair.model, pair.baseline) for pair in pairs)
            if models_of not in seen:
                seen.add(models_of)
                yield rule, pairs


def _refuse_two_runs(scores: Sequence[Score], across: Sequence[str]) -> None:
    first: dict[tuple[str, ...], Score] = {}
    twice: dict[tuple[str, str, str], list[str]] = {}
    for score in scores:
        key = (score.model, *key_of(score, across))
        other = first.setdefault(key, score)
        if other is not score:
            place = (score.model, _place(other), _place(score))
            twice.setdefault(place, []).append(f"{score.task} ({score.language})")
    if not twice:
        return
    hint = "leave one out, with --exclude FILE"
    if across:
        hint += f", or without --across {' --across '.join(across)}"
    raise InputError(
        [
            Problem(
                f"{model}: two scores of {', '.join(tasks[:4])}{', ...' if len(tasks) > 4 else ''} in {one} and {two}",
                hint=hint,
            )
            for (model, one, two), tasks in twice.items()
        ]
    )


def _place(score: Score) -> str:
    return score.file if score.line is None else f"{score.file}, line {score.line}"


def _sizes_of(
    scores: Sequence[Score], given: Mapping[str, float]
) -> tuple[dict[str, tuple[float, str]], list[Note]]:
    """Return the size of every model and where it is from: what was given, the files, the name."""
    sizes: dict[str, tuple[float, str]] = {}
    said: dict[str, set[float]] = {}
    for score in scores:
        said.setdefault(score.model, set())
        if not math.isnan(score.params):
            said[score.model].add(score.params)
    problems, parsed, unlike = [], [], list[str]()
    for model, found in said.items():
        short = model.rpartition("/")[2]
        if model in given or short in given:
            sizes[model] = (given.get(model, given.get(short, math.nan)), "given")
        elif len(found) == 1:
            sizes[model] = (next(iter(found)), "file")
            named, words = size_in_name(model)
            apart = max(named / sizes[model][0], sizes[model][0] / named) if words else 1.0
            said_so = f"{short}: {format_params(sizes[model][0])} in the file"
            if apart >= _OTHER_UNIT:
                hint = f"write --params {model}=SIZE"
                problems.append(Problem(f"{said_so}, {words} in the name: not in the same unit", hint=hint))
            elif apart >= _APART:
                unlike.append(f"{said_so}")
        elif found:
            shown = ", ".join(f"{size:.0f}" for size in sorted(found))
            hint = f"write --params {model}=SIZE"
            problems.append(Problem(f"{model}: the files say several sizes: {shown}", hint=hint))
        else:
            size, words = size_in_name(model)
            sizes[model] = (size, "name")
            if math.isnan(size):
                hint = (
                    f"write --params {model}=SIZE (560M, 7B), or --params FILE with the columns model,params"
                )
                problems.append(Problem(f"{model}: neither a file nor the name says its size", hint=hint))
            parsed.append(f"{short} {format_params(size)}" if words else "")
    if problems:
        raise InputError(problems)
    notes = []
    if unlike:
        what = f"sizes that are not those of the names: {', '.join(unlike[:12])}" + (
            ", ..." if len(unlike) > 12 else ""
        )
        notes.append(Note("import", what, standing=True))
    if parsed:
        what = f"sizes read from names: {', '.join(parsed[:12])}" + (", ..." if len(parsed) > 12 else "")
        notes.append(Note("import", what, severity="info", standing=True))
    return sizes, notes


def _frames(
    scores: Sequence[Score],
    role: Mapping[str, Pair | None],
    sizes: Mapping[str, tuple[float, str]],
    families: Mapping[str, str],
    across: Sequence[str],
    differs: Mapping[int, str],
    answers: Mapping[int, Items],
) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    import pandas as pd

    rows: list[dict[str, Any]] = []
    parts: list[pd.DataFrame] = []
    for score in scores:
        pair = role[score.model]
        anchor = score.model if pair is None else pair.baseline
        params, origin = sizes[score.model]
        row: dict[str, Any] = {
            "model_family": families.get(anchor, families.get(anchor.rpartition("/")[2], family_of(anchor))),
            "model": score.model,
            "params": int(params),
            "base_model": "" if pair is None else pair.baseline,
            "intermediate": BASELINE if pair is None else pair.intermediate,
            "task": score.task,
            "language": score.language,
            "metric": score.metric,
            "prompt": "" if "prompt" in across else score.prompt,
            "split": "" if "split" in across else score.split,
            "protocol": protocol_of(score, across),
            **_numbers_of(score),
            "n_classes": score.n_classes,
            "source": score.file,
            **{name: getattr(score, name) for name in (*KEY[:3], "harness", "revision", "prompt_digest")},
            "params_from": origin,
            "differs": differs.get(id(score), ""),
            **dict(score.declared),
        }
        rows.append(row)
        items = answers.get(id(score))
        if items is not None:
            keys = ("model", "intermediate", "task", "language", "metric", "prompt", "split", "protocol")
            part = pd.DataFrame({"example": list(items.examples), "correct": items.correct})
            parts.append(part.assign(**{key: row[key] for key in keys}))
    frame = pd.DataFrame(rows)
    empty = [name for name in frame if frame[name].isna().all() or frame[name].eq("").all()]
    frame = frame.drop(columns=[name for name in empty if name not in {"base_model", "n_examples"}])
    if not parts:
        return frame, None
    whole = pd.concat(parts, ignore_index=True)
    return frame, whole.drop(columns=[name for name in empty if name in whole])


def _numbers_of(score: Score) -> dict[str, float]:
    """Return the numbers of a row: exact counts where the score is a share of whole items, else score and error."""
    known = find_metric(score.metric) if score.metric else None
    share = known is None or known.kind == "share"
    right = score.score * score.n
    if share and not math.isnan(score.n):
        whole = round(right) if abs(right - round(right)) <= 1e-6 * max(score.n, 1) else math.nan
        return {"score": score.score, "n_correct": whole, "n_examples": score.n, "stderr": math.nan}
    return {"score": score.score, "n_correct": math.nan, "n_examples": score.n, "stderr": score.stderr}
