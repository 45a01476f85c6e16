"""A whole study in one folder: scores, fit on both scales, figures, claims, report; what is done is not done again."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gainlaw import __version__
from gainlaw._directory import check_directory_target, new_directory
from gainlaw._io import sha256_bytes, sha256_file, write_text_atomic
from gainlaw._listing import FILES, FIT, STUDY, listed_files
from gainlaw._provenance import required_packages
from gainlaw.errors import InputError, Problem
from gainlaw.notes import Note, count_of
from gainlaw.options import DEFAULT_LAW
from gainlaw.scales import SCALES
from gainlaw.units.execution import Ended, execute
from gainlaw.units.store import NamedStore, dump_json
from gainlaw.units.unit import Unit, make_unit
from gainlaw.units.versions import content_version, installed_versions

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    import pandas as pd

    from gainlaw.fitting.record import FitRecord
    from gainlaw.scores.evaluations.table import Evaluations
    from gainlaw.scores.gains.table import Gains

__all__ = ["Origin", "Study", "run_study"]

Progress = Callable[[int, int], None]
Watch = Callable[[str], AbstractContextManager[Progress]]

_CHECK, _CLAIMS, _ANSWER = "check.json", "claims.csv", "answer.txt"
#: Parts of the package that no result of a study goes through.
_APART = ("cli", "training", "_runners")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the scores of a study come from.

    Attributes
    ----------
    read : callable
        Gives evaluations or gains; told how far it is by a function of (done, total).
    paths : tuple of Path
        The files and folders that it reads.
    said : mapping
        Plain data: what else determines what it gives.
    """

    read: Callable[[Progress], Evaluations | Gains]
    paths: tuple[Path, ...]
    said: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Study:
    """A study that is done.

    Attributes
    ----------
    folder : Path
        It holds ``scores/``, ``fit/``, ``claims.csv`` where there are claims, ``report/``, and ``study.json``.
    fits : mapping of str to Fit
        The fit, and that on the other scale where there is one, by the names that they have in the report.
    verdicts : pandas.DataFrame or None
        As in ``claims.csv``; None without claims.
    answer : str
        The first paragraph of the report.
    ends : tuple of Ended
        What became of each step: done now, or kept.
    """

    folder: Path
    fits: Mapping[str, FitRecord]
    verdicts: pd.DataFrame | None
    answer: str
    ends: tuple[Ended, ...]


@contextmanager
def _unwatched(label: str) -> Iterator[Progress]:
    yield lambda done, total: None


def run_study(
    origin: Origin,
    out: str | os.PathLike[str],
    *,
    claims: str | os.PathLike[str] | None = None,
    law: str = DEFAULT_LAW,
    draws: int = 1000,
    seed: int = 0,
    title: str | None = None,
    watch: Watch = _unwatched,
    ended: Callable[[Ended], None] = lambda end: None,
    told: Callable[[Sequence[Note]], None] = lambda notes: None,
) -> Study:
    """Read scores, check them, make gains, fit a law on both scales, judge claims and write a report.

    A step that is finished, and whose result is as it was left, is not done again unless what determines it changed:
    the content of the files, the options, the code, the packages.

    Parameters
    ----------
    origin : Origin
        Where the scores come from.
    out : path-like
        The folder of the study: a new one, an empty one, or that of an earlier run.
    claims : path-like, optional
        A file of claims.
    law : str
        The law.
    draws, seed : int
        As for `gainlaw.fit`.
    title : str, optional
        The title of the report.
    watch : callable
        Given the name of a step that begins, returns a context manager that gives a function of (done, total).
    ended : callable
        Told what became of a step.
    told : callable
        Told what deserves a look, as soon as it is known.

    Returns
    -------
    Study

    Raises
    ------
    InputError
        If the folder holds other things, reads or is read by itself, or anything of the input is at fault. That is
        found out before anything is written.

    Examples
    --------
    >>> run_study(Origin(lambda progress: evals, (), {}), "study", claims="claims.toml")  # doctest: +SKIP
    """
    from gainlaw.claims.grammar.file import read_claims
    from gainlaw.fitting.core import check_numbers

    folder = Path(out)
    _refuse_circle(folder, origin.paths)
    check_directory_target(folder, STUDY)
    check_numbers(draws, seed)
    if claims is not None:
        read_claims(claims)
    elif (folder / _CLAIMS).exists():
        hint = "give --claims again, remove it, or name another folder"
        raise InputError(Problem(f"{folder / _CLAIMS} has the verdicts of an earlier run", hint=hint))
    steps = _Steps(NamedStore(folder, _own_files), watch, ended, told, [])
    asked = {"claims": None if claims is None else str(claims), "law": law, "draws": draws, "seed": seed}
    scores = _scores(steps, origin, asked)
    fits, units = _fits(steps, scores, law, draws, seed)
    drawn = _figures(steps, fits, units)
    if claims is not None:
        units["claims"] = _claims(steps, next(iter(fits.values())), units, Path(claims))
    return _report(steps, fits, {**units, "figures": drawn}, title)


def _refuse_circle(folder: Path, paths: tuple[Path, ...]) -> None:
    """Raise an InputError where a study would read what it writes."""
    here = folder.resolve()
    problems = []
    for path in paths:
        there = path.resolve()
        if there == here or there in here.parents:
            what = f"{folder} lies in {path}: the next run would take what this one writes for results"
            problems.append(Problem(what, hint=f"name a folder beside {path}"))
        elif here in there.parents:
            problems.append(
                Problem(f"{path} lies in {folder}, which is to be written", hint="name another folder")
            )
    if problems:
        raise InputError(problems)


@dataclass(frozen=True, slots=True)
class _Steps:
    """The steps of a study, done one after the other in this process."""

    store: NamedStore
    watch: Watch
    ended: Callable[[Ended], None]
    told: Callable[[Sequence[Note]], None]
    ends: list[Ended]

    def path(self, unit: Unit) -> Path:
        return self.store.path(unit.name)

    def unit(
        self, name: str, label: str, spec: Mapping[str, Any], parents: Mapping[str, Unit] | None = None
    ) -> Unit:
        return make_unit(
            "study",
            spec,
            parents,
            code=_code(),
            libraries=installed_versions(required_packages()),
            label=label,
            name=name,
        )

    def do(self, unit: Unit, work: Callable[[Path, Progress], str]) -> Unit:
        """Do a step, if it is not done; `work` writes its result to a place and says what it is."""

        def watched(unit: Unit, store: object, place: Path) -> str:
            with self.watch(unit.label) as progress, _said_what_to_remove(place):
                return work(place, progress)

        end = execute(unit, self.store, watched)
        self.ends.append(end)
        self.ended(end)
        return unit


def _own_files(place: Path) -> set[str] | None:
    """Return the names of the files of a step; None where its record is not there or cannot be read."""
    record = next((kind.record for kind in (FIT, FILES) if (place / kind.record).is_file()), None)
    if record is None:
        return None
    with suppress(InputError):
        return {record, _ANSWER, *listed_files(place, record)}
    return None


@contextmanager
def _said_what_to_remove(place: Path) -> Iterator[None]:
    """Let the message say so where what lies in the place of a step is damaged, so that it cannot be replaced."""
    try:
        yield
    except InputError as error:
        own = error.source == str(place) or any(str(place) in problem.message for problem in error.problems)
        if not own:
            raise
        hint = f"remove {place}, and it is made anew"
        raise InputError([replace(each, hint=hint) for each in error.problems], error.source) from None


@cache
def _code() -> str:
    return content_version(Path(__file__).parent, beside=_APART)


def _scores(steps: _Steps, origin: Origin, options: Mapping[str, Any]) -> Unit:
    """Read, check and pair; everything is at hand, and found to be sound, before anything is written."""
    unit = steps.unit("scores", "scores", {**origin.said, "content": _content(origin.paths)})
    if not steps.store.has(unit):
        with steps.watch("reading scores") as progress:
            data, gains, found = _prepare(origin, progress, options["law"])
    asked = {"gainlaw": __version__, **origin.said, **options}
    write_text_atomic(steps.store.root / STUDY.record, dump_json(asked))

    def write(place: Path, progress: Progress) -> str:
        with new_directory(place, FILES, overwrite=True) as folder:
            if data is not gains:
                data.write(folder)
            gains.write(folder / "gains.csv")
            write_text_atomic(folder / _CHECK, dump_json(found))
        replicates = (
            f"{count_of(found['n_checkpoints'], 'checkpoint')} of {count_of(found['n_sizes'], 'size')}"
        )
        return f"{count_of(len(gains), 'gain')}, {replicates}"

    steps.do(unit, write)
    kept = json.loads((steps.path(unit) / _CHECK).read_text(encoding="utf-8"))
    steps.told([Note.from_dict(note) for note in kept["notes"]])
    return unit


def _content(paths: Sequence[Path]) -> str:
    """Return a hash of the files that are read; one that cannot be read is left to whoever reads it."""
    from gainlaw.imports.documents import list_files

    def of(file: Path) -> str:
        try:
            return sha256_file(file)
        except OSError as error:
            return type(error).__name__

    lines = (f"{file}\0{of(file)}" for path in paths for file in list_files(path))
    return sha256_bytes("\n".join(lines).encode(errors="surrogateescape"))


def _prepare(
    origin: Origin, progress: Progress, law: str
) -> tuple[Evaluations | Gains, Gains, dict[str, Any]]:
    """Return what was read, the gains, and what a check says; raise what reading, checking and the model refuse."""
    from gainlaw.laws import hierarchical_law
    from gainlaw.model.spec.problem import build_problem, specify
    from gainlaw.scores.gains.table import Gains

    data = origin.read(progress)
    gains = data if isinstance(data, Gains) else data.gains()
    build_problem(gains, specify(gains, hierarchical_law(law)))
    found = {} if isinstance(data, Gains) else data.check().to_dict()
    frame = gains.frame
    found |= {
        "source": data.source,
        "sha256": data.sha256,
        "notes": [note.to_dict() for note in data.notes],
        "n_checkpoints": int(frame.loc[frame["checkpoint"].ne(""), "checkpoint"].nunique()),
        "n_sizes": int(frame["params"].nunique()),
    }
    return data, gains, found


def _read_scores(folder: Path) -> Evaluations | Gains:
    """Return what `_scores` wrote, with the name, the hash and the notes of what it was read from."""
    from gainlaw.scores.evaluations.table import read_evaluations
    from gainlaw.scores.gains.cells.reading import read_gains

    found = json.loads((folder / _CHECK).read_text(encoding="utf-8"))
    said: dict[str, Any] = {name: found[name] for name in ("source", "sha256")}
    said["notes"] = tuple(Note.from_dict(note) for note in found["notes"])
    if (folder / "evaluations.csv").is_file():
        return replace(read_evaluations(folder), **said)
    return replace(read_gains(folder / "gains.csv", unit="points", params_unit="1"), lines=None, **said)


def _fits(
    steps: _Steps, scores: Unit, law: str, draws: int, seed: int
) -> tuple[dict[str, FitRecord], dict[str, Unit]]:
    """Fit the law, and the same model on the other scale where there is one."""
    from gainlaw.fitting.companion import other_scale, other_scale_fit
    from gainlaw.fitting.core import fit
    from gainlaw.fitting.storage import load_fit, write_fit

    def sample(place: Path, progress: Progress) -> str:
        with new_directory(place, FIT, overwrite=True) as folder:
            made = fit(_read_scores(steps.path(scores)), law, draws=draws, seed=seed, progress=progress)
            write_fit(made, folder)
        return f"{law} law on {SCALES[made.scale].name}, diagnostics {made.status}"

    def again(place: Path, progress: Progress) -> str:
        made = other_scale_fit(main, anew=True, progress=progress)
        assert made is not None
        return f"{law} law on {SCALES[made.scale].name}, diagnostics {made.status}"

    # By their content: results that were read again and gave the same scores are no reason to fit again.
    content = steps.store.content(scores.name)
    unit = steps.do(
        steps.unit("fit", "fit", {"scores": content, "law": law, "draws": draws, "seed": seed}), sample
    )
    main = load_fit(steps.path(unit))
    fits, units = {f"{law} law": main}, {"fit": unit}
    scale = other_scale(main)
    try:
        main.gains.to_scale(scale)
    except InputError as error:
        what = f"judged on {SCALES[main.scale].name} alone: {error.problems[0].message}"
        steps.told([Note("scales", what, severity="info")])
        return fits, units
    label = f"fit on {SCALES[scale].name}"
    units["twin"] = steps.do(steps.unit(f"fit/scale_{scale}", label, {}, {"fit": unit}), again)
    fits[f"{law} law, {SCALES[scale].name}"] = load_fit(steps.path(units["twin"]))
    return fits, units


def _figures(steps: _Steps, fits: Mapping[str, FitRecord], units: Mapping[str, Unit]) -> Unit:
    """Draw what the report shows: most of its time, and none of it depends on claims."""
    from gainlaw.report.artists import hire
    from gainlaw.report.write import draw_figures

    def draw(place: Path, progress: Progress) -> str:
        with hire() as artists, new_directory(place, FILES, overwrite=True) as folder:
            draw_figures(fits, folder, artists=replace(artists, progress=progress))
            return count_of(len(list(folder.glob("*.pdf"))), "figure")

    return steps.do(steps.unit(".drawn", "figures", {}, units), draw)


def _claims(steps: _Steps, fit: FitRecord, units: Mapping[str, Unit], file: Path) -> Unit:
    """Judge the claims; what is said of their registration is part of what determines the verdicts."""
    from gainlaw.claims.assessment import assess_file
    from gainlaw.claims.registration import standing
    from gainlaw.claims.verdict import write_verdicts

    def judge(place: Path, progress: Progress) -> str:
        verdicts = assess_file([fit], file, progress=progress)
        write_verdicts(verdicts, place)
        return count_of(len(verdicts), "verdict")

    spec = {"claims": sha256_file(file), "standing": standing(file, [fit])}
    return steps.do(steps.unit(_CLAIMS, "claims", spec, units), judge)


def _report(
    steps: _Steps, fits: Mapping[str, FitRecord], units: Mapping[str, Unit], title: str | None
) -> Study:
    import pandas as pd

    from gainlaw.report.write import write_report

    verdicts = pd.read_csv(steps.path(units["claims"])) if "claims" in units else None

    def write(place: Path, progress: Progress) -> str:
        judged = () if verdicts is None else verdicts
        figures = steps.path(units["figures"])
        done = write_report(fits, place, verdicts=judged, title=title, figures=figures)
        write_text_atomic(place / _ANSWER, f"{done.answer.text}\n")
        return count_of(len(done.files) + 1, "file")

    unit = steps.do(steps.unit("report", "report", {"title": title}, units), write)
    answer = (steps.path(unit) / _ANSWER).read_text(encoding="utf-8").strip()
    folder = steps.store.root
    return Study(folder, fits, verdicts, answer, tuple(steps.ends))
