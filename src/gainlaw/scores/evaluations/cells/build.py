"""From raw cells to a valid evaluations table, or to one error that lists every fault."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

import numpy as np

from gainlaw.notes import Note
from gainlaw.scores.evaluations.cells.agreement import check_agreement
from gainlaw.scores.evaluations.cells.codes import one_spelling
from gainlaw.scores.evaluations.cells.declare import Declared, declare_metrics
from gainlaw.scores.evaluations.cells.ranges import report_range_faults
from gainlaw.scores.evaluations.cells.units import (
    check_sampling_errors,
    fractions_of,
    parameters_of,
    uncommon_sizes,
)
from gainlaw.scores.evaluations.cells.values import check_scores, declared_columns, report_unknown_metrics
from gainlaw.scores.evaluations.columns import (
    BASELINE,
    CANONICAL,
    COMPUTED,
    KEYS,
    NAMES,
    NUMBERS,
    OPTIONAL_NAMES,
    REQUIRED,
)
from gainlaw.scores.languages import describe_languages
from gainlaw.scores.metrics import metric_facts
from gainlaw.scores.reading.cells import (
    TableFaults,
    check_names,
    group_codes,
    parse_free,
    parse_numbers,
    parse_text,
)

if TYPE_CHECKING:
    import pandas as pd

    from gainlaw.scores.reading.frames import RawTable

__all__ = ["build_frame"]


def build_frame(
    raw: RawTable, require_pairs: bool = True, declared: Declared | None = None
) -> tuple[pd.DataFrame, tuple[Note, ...]]:
    """Validate a raw table and return it in canonical form.

    Parameters
    ----------
    raw : RawTable
        The cells as given.
    require_pairs : bool, default True
        Whether a table without baselines, without intermediates, or with a ``base_model`` that has no
        baseline row is an error.
    declared : Declared, optional
        What the caller says of units and metrics.

    Returns
    -------
    frame : pandas.DataFrame
        The canonical columns, then the user's own.
    notes : tuple of Note
        What was mended or dropped on the way.

    Raises
    ------
    InputError
        With every fault found: its column, its lines and what to write instead.
    """
    declared = declared or Declared()
    raw = declare_metrics(raw, declared.metrics)
    faults = TableFaults(raw.lines, raw.source)
    notes = list(raw.notes)
    _check_columns(raw.frame, faults)
    frame = _parse(raw, declared, faults, notes)
    _check_names(frame, faults)
    report_unknown_metrics(frame, faults)
    check_scores(frame, faults)
    faults.raise_any()
    check_agreement(frame, raw.frame, declared.unit, faults)
    check_sampling_errors(frame, metric_facts(frame), faults)
    if declared.params_unit is None and uncommon_sizes(frame):
        what = "no model has a million parameters: are they counted in millions? --params-unit M says so, 1 that not"
        notes.append(Note("small_sizes", what, standing=True))
    faults.raise_any()  # relations between rows are judged on clean cells only
    frame = _drop_repeats(frame, faults, notes)
    _check_models(frame, faults, require_pairs)
    faults.raise_any()
    return _finish(frame, raw), tuple(notes)


def _check_columns(frame: pd.DataFrame, faults: TableFaults) -> None:
    present = list(frame.columns)

    def missing(column: str, remedy: str | None = None) -> None:
        hint = _similar(column, present) or remedy or f"the file has: {', '.join(present[:12])}"
        faults.add("the column is missing", column=column, rows=(1,), hint=hint)

    for column in REQUIRED:
        if column not in present:
            missing(column)
    if "score" not in present and "n_correct" not in present:
        missing("score", "give score (a fraction), or n_correct and n_examples")
    if "n_examples" not in present and "score" not in present and "n_correct" in present:
        missing("n_examples", "counts need the number of examples")
    elif "n_examples" not in present and "stderr" not in present:
        missing("n_examples", "give n_examples or stderr: the sampling error of each score")
    faults.raise_any()


def _similar(column: str, present: list[str]) -> str | None:
    plain = {name.casefold().replace(" ", "_").replace("-", "_"): name for name in present}
    near = difflib.get_close_matches(column, list(plain), n=1, cutoff=0.75)
    return f"rename the column {plain[near[0]]!r}?" if near and plain[near[0]] not in CANONICAL else None


def _parse(raw: RawTable, declared: Declared, faults: TableFaults, notes: list[Note]) -> pd.DataFrame:
    import pandas as pd

    columns: dict[str, object] = {}
    bad: dict[str, np.ndarray] = {}
    size = len(raw.frame)
    for name in (*NAMES, *OPTIONAL_NAMES):
        given = raw.frame[name] if name in raw.frame else pd.Series([""] * size, dtype="str")
        columns[name] = parse_text(given)
    for name in NUMBERS:
        if name in raw.frame:
            columns[name], bad[name] = parse_numbers(raw.frame[name], name, faults)
        else:
            columns[name], bad[name] = np.full(size, np.nan), np.zeros(size, bool)
    columns["params"] = parameters_of(np.asarray(columns["params"], float), declared.params_unit, faults)
    columns |= declared_columns(raw.frame, faults)
    others = {
        name: parse_free(raw.frame[name])
        for name in raw.frame
        if name not in columns and name not in CANONICAL
    }
    frame = pd.DataFrame(columns | others)
    frame["row"] = raw.lines
    frame["language"] = one_spelling(frame["language"], raw.lines, notes)
    own = [name for name in raw.frame if name in COMPUTED]
    if own:
        names = ", ".join(repr(name) for name in own)
        what = (
            f"{names} in a table of scores: gains have columns of their own of these names, so yours are left out of "
            f"the gains; keep them under another name with --rename {own[0]}=NEW"
        )
        notes.append(Note("own_columns", what, standing=True))
    fractions_of(frame, metric_facts(frame), declared.unit, faults)
    report_range_faults(frame[list(NUMBERS)], faults)
    _check_missing(frame, bad, faults)
    loose = frame["intermediate"].str.casefold().eq(BASELINE) & frame["intermediate"].ne(BASELINE)
    if loose.any():
        what = f"intermediate written {frame.loc[loose, 'intermediate'].iloc[0]!r} was read as 'none'"
        rows = tuple(raw.lines[loose.to_numpy()].tolist())
        notes.append(Note("none_respelt", what, rows, severity="info", standing=True))
        frame.loc[loose, "intermediate"] = BASELINE
    return frame


def _check_missing(frame: pd.DataFrame, bad: dict[str, np.ndarray], faults: TableFaults) -> None:
    for name in ("model_family", "model", "intermediate", "task", "language"):
        hint = "write none for a baseline" if name == "intermediate" else None
        faults.add("no value", column=name, where=frame[name].eq("").to_numpy(), hint=hint)
    faults.add("no value", column="params", where=frame["params"].isna().to_numpy() & ~bad["params"])
    known = frame["score"].notna() | frame["n_correct"].notna() | bad["score"] | bad["n_correct"]
    faults.add("no value, and no n_correct with n_examples", column="score", where=~known.to_numpy())
    error = frame["n_examples"].notna() | frame["stderr"].notna() | bad["n_examples"] | bad["stderr"]
    hint = "the sampling error of each score must be known"
    faults.add(
        "no value, and no stderr",
        column="n_examples",
        where=(known & ~error & frame["n_correct"].isna()).to_numpy(),
        hint=hint,
    )
    lonely = frame["n_correct"].notna() & frame["n_examples"].isna() & ~bad["n_examples"]
    faults.add("no value beside n_correct", column="n_examples", where=lonely.to_numpy())


def _check_names(frame: pd.DataFrame, faults: TableFaults) -> None:
    for name in (*NAMES, "prompt", "split", "metric", "protocol"):
        check_names(frame[name], name, faults, lines=name == "prompt")


def _drop_repeats(frame: pd.DataFrame, faults: TableFaults, notes: list[Note]) -> pd.DataFrame:
    import pandas as pd

    codes = group_codes(frame, ["model", "base_model", "intermediate", "task", "language", *KEYS])
    repeated = pd.Series(codes).duplicated(keep=False).to_numpy()
    if not repeated.any():
        return frame
    values = ["score", "n_correct", "n_examples", "stderr", "params"]
    part = frame.loc[repeated, values].copy()
    part["code"] = codes[repeated]
    conflict = part.groupby("code")[values].transform(lambda x: x.nunique(dropna=False)).gt(1)
    for column in ("score", "n_correct", "n_examples", "stderr", "params"):
        differing = np.zeros(len(frame), bool)
        differing[repeated] = conflict[column].to_numpy()
        if differing.any():
            what = "rows of the same model, intermediate, task, language and keys hold different values"
            hint = "keep one, or tell them apart by seed, prompt, split, metric or protocol"
            faults.add(what, column=column, where=differing, hint=hint)
            return frame
    drop = pd.Series(codes).duplicated().to_numpy()
    rows = tuple(faults.lines[drop].tolist())
    notes.append(Note("repeated", "rows that repeat another row exactly were dropped", rows, standing=True))
    faults.lines = faults.lines[~drop]
    return frame.loc[~drop].reset_index(drop=True)


def _check_models(frame: pd.DataFrame, faults: TableFaults, require_pairs: bool) -> None:
    baseline = frame["intermediate"].eq(BASELINE)
    for column, by in (
        ("params", "model"),
        ("model_family", "model"),
        ("n_classes", "task"),
        ("chance", "task"),
    ):
        several = frame.groupby(by)[column].transform("nunique").gt(1)
        for name in frame.loc[several, by].unique():
            where = (frame[by].eq(name) & several).to_numpy()
            shown = ", ".join(
                f"{value:.15g}" if column != "model_family" else repr(value)
                for value in sorted(frame.loc[where, column].dropna().unique())[:4]
            )
            faults.add(f"{by} {name!r} has several values: {shown}", column=column, where=where)
    astray = baseline & frame["base_model"].ne("") & frame["base_model"].ne(frame["model"])
    hint = "leave base_model blank on rows with intermediate = none"
    faults.add(
        "a baseline names another model as its baseline",
        column="base_model",
        where=astray.to_numpy(),
        hint=hint,
    )
    if not require_pairs:
        return
    nameless = ~baseline & frame["base_model"].eq("")
    hint = "write the model of the baseline row"
    faults.add(
        "no value on rows with an intermediate", column="base_model", where=nameless.to_numpy(), hint=hint
    )
    if baseline.all() or not baseline.any():
        what = (
            "no row has an intermediate" if baseline.all() else "no baseline: no row has intermediate = none"
        )
        hint = "a gain needs rows with an intermediate and their baselines"
        faults.add(what, column="intermediate", where=np.ones(len(frame), bool), hint=hint)
        return
    roots, others = set(frame.loc[baseline, "model"]), set(frame.loc[~baseline, "model"])
    for name in frame.loc[~baseline & ~nameless, "base_model"].unique():
        if name in roots:
            continue
        where = (frame["base_model"].eq(name) & ~baseline).to_numpy()
        if (frame["model"].eq(name) & where).any():
            what = f"{name!r} names itself as its baseline, and has no row with intermediate = none"
        elif name in others:
            what = f"{name!r} has rows with an intermediate only: a chain of intermediates is no baseline"
        else:
            what = f"{name!r} is the model of no baseline row"
        near = difflib.get_close_matches(name, sorted(roots), n=1, cutoff=0.8)
        hint = (
            f"did you mean {near[0]!r}?"
            if near
            else "add its rows with intermediate = none, or drop these rows"
        )
        faults.add(what, column="base_model", where=where, hint=hint)


def _finish(frame: pd.DataFrame, raw: RawTable) -> pd.DataFrame:
    counted = metric_facts(frame).share
    given = frame["n_correct"].notna()
    frame["score"] = (frame["n_correct"] / frame["n_examples"]).where(given, frame["score"])
    derived = (frame["score"] * frame["n_examples"]).round().where(counted)
    frame["n_correct"] = frame["n_correct"].where(given, derived)
    frame["params"] = frame["params"].astype("int64")
    frame["seed"] = frame["seed"].astype("Int64")
    frame.loc[frame["intermediate"].eq(BASELINE), "base_model"] = ""
    languages = describe_languages(frame["language"].unique()).drop(columns=["known", "seen_in_pretraining"])
    for column in ("language_family", "genus", "language_name"):
        if column in raw.frame:  # the user's own classification wins where it says something
            own = parse_text(raw.frame[column])
            own.index = raw.lines
            mine = frame["row"].map(own)
        else:
            mine = frame["row"].map(lambda _: "").astype("str")
        table = frame["language"].map(languages.set_index("language")[column])
        frame[column] = mine.where(mine.ne(""), table).astype("str")
    rest = [column for column in frame if column not in CANONICAL]
    return frame[[*CANONICAL, *rest]].reset_index(drop=True)
