"""Mutations of good tables, claims, formulas and options: every command ends with exit code 0, 1 or 2.

    python benchmarks/mutations.py --count 3000

Each mutation runs in a process of its own, forked from one that has everything imported, so that a crash is seen as
one. What ends with another code, prints a traceback or takes more than a minute of the processor is listed with its
number; ``--only NUMBER`` runs it again and shows what it printed.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

CASES = Path(__file__).parents[1] / "tests" / "cases"
TABLES = ("good.csv", "good.csv", "c10_gains_ref.csv", "c11_ref.csv", "c12_gains_fraction_scores.csv")
FEW = ("--draws", "100", "--chains", "2", "--tune", "100")
SECONDS = 60
MEMORY = 4 << 30

CLAIMS = """version = 1
threshold = 0.95

[[claim]]
name = "grows"
claim = "slope > 0"
rope = 0.5

[[claim]]
name = "small"
claim = "abs(gain(10B)) < 1"
log_odds = "abs(gain(10B)) < 0.1"

[[claim]]
name = "by task"
claim = "slope[task=xnli] < slope[task=xcopa]"
"""
CLAIM_PARTS = (
    *(
        "slope",
        "gain(1B)",
        "gain(1e9)",
        "ratio(1B, 10B)",
        "crossing",
        "max(slope, 0)",
        "abs(slope)",
        "0",
        "-1",
        "1e400",
    ),
    *(
        "slope[task=xnli]",
        "slope[task=none]",
        "slope[population]",
        "gain(7B)[language=en]",
        "rank(task)",
        "slope[",
        "nan",
    ),
    *(
        "gain()",
        "gain(-1)",
        "gain(0)",
        "slope slope",
        "((slope))",
        "slope[task=xnli,language=en]",
        "__import__('os')",
    ),
)
FORMULAS = (
    *(
        "a + b * x",
        "a * exp(-b * x)",
        "a + b * x ** 2",
        "a",
        "b / x",
        "log(x)",
        "a ** b ** x",
        "x",
        "1/0",
        "a + ",
        "()",
    ),
    *(
        "a * x + a",
        "sqrt(a - x)",
        "exp(exp(exp(a * x)))",
        "a if x else b",
        "lambda: 1",
        "a.b",
        "x ** 1e400",
        "linear,power",
    ),
    *(
        "offset_power",
        "logistic",
        "nolaw",
        "a + b * x + c * x**2 + d * x**3 + e * x**4",
        "min(a, x)",
        "-x",
        "a" * 300,
    ),
)
VALUES = (
    *(
        "",
        "0",
        "1",
        "-1",
        "nan",
        "inf",
        "1e400",
        "1e-400",
        "7B",
        "1e99999999T",
        "abc",
        "None",
        "true",
        "0.5",
        "0.95",
        "1.0",
    ),
    *(
        "2",
        "100",
        "99999999999999999999",
        "\x1b[31m",
        "\u200b",
        "é",
        "=",
        "a=b",
        "task=xnli",
        "params=7B",
        "=xnli",
        "task=",
    ),
    *(
        "tau_task=halfnormal(5)",
        "tau_task=halfnormal(-1)",
        "slope=normal(0, 1e9)",
        "x=y(z)",
        "task",
        "language",
        "score",
    ),
    *(
        "../..",
        "/dev/null",
        "/",
        ".",
        "points",
        "log_odds",
        "normalized",
        "linear",
        "constant",
        "exact",
        "%s",
        "{}",
        "\\",
    ),
)
USUAL = {
    "--where": (
        "task=xnli",
        "language=en,de",
        "params=7B",
        "task=xnli,xcopa",
        "seed=",
        "intermediate=none",
        "x=1",
    ),
    "--scale": ("points", "log_odds", "normalized", "error_reduction"),
    "--variance": ("auto", "paired", "unpaired"),
    "--law": ("linear", "constant", "offset_power", "saturating", "logistic", *FORMULAS),
    "--engine": ("exact",),
    "--ci-prob": ("0.5", "0.8", "0.999999", "1", "0"),
    "--term": ("task", "language", "language_family", "checkpoint", "residual", "run"),
    "--drop": ("task", "language", "language_family", "checkpoint", "residual", "checkpoint_task"),
    "--covariate": ("n_examples", "params", "task", "n_classes", "gain", "se", "seed", "score:slope"),
    "--prior": (
        "tau_task=halfnormal(5)",
        "slope=normal(0,1e-300)",
        "intercept=normal(0,1e300)",
        "rho_task=lkj(2)",
    ),
    "--params": ("7B", "1", "1e300", "1e-300", "560M"),
    "--draws": ("100", "101", "99", "1000000000000"),
    "--tune": ("100", "0"),
    "--chains": ("1", "2", "3", "1000000"),
    "--seed": ("0", "1", "4294967295", "4294967296", "18446744073709551616", "1" * 40),
    "--baselines": ("free", "hierarchical"),
    "--unit": ("points", "fraction", "percent"),
    "--params-unit": ("1", "M", "B"),
    "--rename": ("task=language", "language=task", "score=acc", "params=size", "x=y", "task=gain"),
    "--metric": ("score=accuracy", "f1:range=0..1", "acc", "accuracy:down", "x:y:z"),
    "--by": ("task", "language", "task,language", "params", "gain", "nothing"),
    "--loss": ("squared", "gls", "huber"),
    "--claim": ("slope < 0", *CLAIM_PARTS),
    "--level": (
        "population",
        "overall",
        "task",
        "language",
        "language_family",
        "intermediate",
        "model",
        "covariate",
    ),
    "--estimand": ("slope", "gain", "crossing", "ratio"),
    "--format": ("table", "csv", "json"),
    "--task": ("xnli", "xcopa"),
    "--language": ("en", "de"),
    "--language-family": ("Indo-European",),
    "--intermediate": ("mt", "none"),
    "--new": ("task", "language", "language_family", "checkpoint", "run"),
    "--covariance": (str(CASES / "good.csv"), "/dev/null"),
}
CELLS = (
    *(
        "",
        "0",
        "-1",
        "1",
        "0.5",
        "1e400",
        "nan",
        "NaN",
        "null",
        "inf",
        "-inf",
        "abc",
        "1,5",
        "7B",
        "1e10",
        "1e-300",
        "none",
    ),
    *(
        "true",
        "\x00",
        "\x1b",
        "\u200b",
        "\ud7ff",
        "é",
        "e\u0301",
        "=1+1",
        '"',
        "'",
        "$$",
        "<b>&",
        "  ",
        "en",
        "xx",
        "zh-Hant",
    ),
    *("99999999999999999999", "0x10", "1_000", "٣", "en-ar", "\\frac", "a" * 5000, "2.5", "1000", "1e9"),
)
OPTIONS = {
    "check": ("--where", "--format", "--metric", "--unit", "--params-unit", "--rename"),
    "gains": (
        "--where",
        "--scale",
        "--variance",
        "--unit",
        "--params-unit",
        "--rename",
        "--covariance",
        "--metric",
    ),
    "fit": (
        *(
            "--where",
            "--scale",
            "--law",
            "--engine",
            "--ci-prob",
            "--term",
            "--drop",
            "--covariate",
            "--prior",
            "--params",
        ),
        *(
            "--draws",
            "--tune",
            "--chains",
            "--seed",
            "--baselines",
            "--unit",
            "--params-unit",
            "--rename",
            "--covariance",
        ),
    ),
    "curve": ("--law", "--by", "--scale", "--loss", "--claim", "--ci-prob", "--seed", "--where", "--format"),
    "summary": ("--level", "--estimand", "--format"),
    "predict": (
        *(
            "--params",
            "--task",
            "--language",
            "--language-family",
            "--intermediate",
            "--new",
            "--ci-prob",
            "--seed",
        ),
        "--format",
    ),
}


@dataclass(frozen=True)
class Place:
    """Where a mutation finds good inputs, and the folder of its own that it may fill."""

    fit: Path
    folder: Path

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
        return path


Command = tuple[str, ...]


def mutate_bytes(rng: random.Random, data: bytes) -> bytes:
    """Change, drop, double or insert a few bytes."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        at = rng.randrange(len(changed) + 1)
        how = rng.randrange(5)
        if how == 0:
            changed[at : at + 1] = bytes([rng.randrange(256)])
        elif how == 1:
            del changed[at : at + rng.choice((1, 3, 100))]
        elif how == 2:
            changed[at:at] = changed[at : at + rng.choice((1, 10, 200))]
        elif how == 3:
            changed[at:at] = rng.choice(
                (b"\x00", b"\xff", b"\n", b",", b'"', b"\r", b"\xef\xbb\xbf", b"#", b";", b"-")
            )
        else:
            del changed[at:]
        if not changed:
            break
    return bytes(changed)


def mutate_table(rng: random.Random, text: str) -> str:
    """Change cells, rows and columns of a CSV table."""
    rows = [line.split(",") for line in text.splitlines()]
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        row = rng.randrange(len(rows))
        how = rng.randrange(9)
        if how <= 2 and rows[row]:
            rows[row][rng.randrange(len(rows[row]))] = rng.choice(CELLS)
        elif how == 3 and len(rows) > 1:
            del rows[row]
        elif how == 4:
            rows.insert(row, list(rng.choice(rows)))
        elif how == 5:  # a whole column takes one value
            column = rng.randrange(len(rows[0]) or 1)
            value = rng.choice(CELLS)
            rows[1:] = [[*each[:column], value, *each[column + 1 :]] for each in rows[1:]]
        elif how == 6:  # a column goes, or comes twice
            column = rng.randrange(len(rows[0]) or 1)
            times = rng.choice((0, 2))
            rows = [
                [*each[:column], *each[column : column + 1] * times, *each[column + 1 :]] for each in rows
            ]
        elif how == 7:  # a column gets another name
            if rows[0]:
                rows[0][rng.randrange(len(rows[0]))] = rng.choice(
                    (*rows[0], *CELLS, "gain", "se", "block", "variance")
                )
        else:
            rows = rows[: max(1, rng.randrange(len(rows)))]
    return "\n".join(",".join(row) for row in rows) + "\n"


def use_of(rng: random.Random, table: Path, place: Place) -> Command:
    """Return a command that reads a table."""
    what = rng.random()
    if what < 0.35:
        return ("check", str(table))
    if what < 0.6:
        return ("gains", str(table), "-o", str(place.folder / "gains.csv"))
    if what < 0.7:
        return ("curve", str(table), "--by", "task")
    return ("fit", str(table), "-o", str(place.folder / "fit"), *FEW)


def table_cells(rng: random.Random, place: Place) -> Command:
    text = (CASES / rng.choice(TABLES)).read_text(encoding="utf-8")
    return use_of(rng, place.write("table.csv", mutate_table(rng, text)), place)


def table_bytes(rng: random.Random, place: Place) -> Command:
    data = (CASES / rng.choice(TABLES)).read_bytes()
    return use_of(rng, place.write("table.csv", mutate_bytes(rng, data)), place)


def parquet_bytes(rng: random.Random, place: Place) -> Command:
    data = (CASES / "c10_gains_binary.parquet").read_bytes()
    return use_of(rng, place.write("table.parquet", mutate_bytes(rng, data)), place)


def claims_text(rng: random.Random, place: Place) -> Command:
    data = mutate_bytes(rng, CLAIMS.encode())
    return ("claims", str(place.fit), str(place.write("claims.toml", data)))


def claims_grammar(rng: random.Random, place: Place) -> Command:
    left = rng.choice(CLAIM_PARTS)
    right = rng.choice(CLAIM_PARTS) if rng.random() < 0.5 else str(rng.choice((0, 1, -2.5, 1e6)))
    if rng.random() < 0.4:
        left = f"{left} {rng.choice('+-*/')} {rng.choice(CLAIM_PARTS)}"
    claim = f"{left} {rng.choice('<><><>=')} {right}"
    extra = rng.choice(
        ("", "rope = 0.5\n", "rope = -1\n", "threshold = 2\n", "log_odds = 'slope > 0'\n", "x = 1\n")
    )
    text = f'[[claim]]\nname = \'a\'\nclaim = """{claim}"""\n{extra}'
    return ("claims", str(place.fit), str(place.write("claims.toml", text)))


def formulas(rng: random.Random, place: Place) -> Command:
    formula = rng.choice(FORMULAS)
    if rng.random() < 0.5:
        formula = mutate_bytes(rng, formula.encode()).decode("utf-8", "replace").replace("\x00", "0")
    return ("curve", str(CASES / rng.choice(TABLES)), f"--law={formula}")


def options(rng: random.Random, place: Place) -> Command:
    command = rng.choice(("fit", "fit", *OPTIONS))
    count = rng.choice((1, 1, 2, 3))
    chosen = [rng.choice(OPTIONS[command]) for _ in range(count)]
    given = [f"{name}={rng.choice(USUAL[name] if rng.random() < 0.75 else VALUES)}" for name in chosen]
    if command in ("summary", "predict"):
        needed = ("--params", "7B") if command == "predict" and rng.random() < 0.7 else ()
        return (command, str(place.fit), *needed, *given)
    table = str(CASES / rng.choice(TABLES))
    outputs = {
        "gains": ("-o", str(place.folder / "gains.csv")),
        "fit": ("-o", str(place.folder / "fit"), *FEW),
    }
    return (command, table, *outputs.get(command, ()), *given)


def words(rng: random.Random, place: Place) -> Command:
    """Whole command lines out of order."""
    good = ["fit", str(CASES / "good.csv"), "-o", str(place.folder / "fit"), *FEW, "--seed", "1"]
    for _ in range(rng.choice((1, 2, 3))):
        at = rng.randrange(len(good))
        how = rng.randrange(4)
        if how == 0:
            good[at] = rng.choice((*VALUES, *OPTIONS, "--help", "--version", "--debug"))
        elif how == 1 and len(good) > 1:
            del good[at]
        elif how == 2:
            good.insert(at, rng.choice(good))
        else:
            other = rng.randrange(len(good))
            good[at], good[other] = good[other], good[at]
    return tuple(good)


def fit_directory(rng: random.Random, place: Place) -> Command:
    copy = place.folder / "given"
    shutil.copytree(place.fit, copy)
    path = rng.choice(sorted(each for each in copy.rglob("*") if each.is_file()))
    how = rng.randrange(4)
    if how == 0:
        path.unlink()
    elif how == 1:
        path.unlink()
        os.mkfifo(path)
    else:
        path.write_bytes(mutate_bytes(rng, path.read_bytes()))
    claims = place.write("claims.toml", CLAIMS)
    return rng.choice(
        (("summary", str(copy)), ("predict", str(copy), "--params", "7B"), ("claims", str(copy), str(claims)))
    )


KINDS: dict[str, tuple[Callable[[random.Random, Place], Command], int]] = {
    "cells of tables": (table_cells, 9),
    "bytes of tables": (table_bytes, 5),
    "bytes of Parquet": (parquet_bytes, 2),
    "text of claims": (claims_text, 3),
    "claims": (claims_grammar, 4),
    "formulas": (formulas, 3),
    "options": (options, 7),
    "command lines": (words, 3),
    "fit directories": (fit_directory, 3),
}


@dataclass(frozen=True)
class Outcome:
    """How one mutation ended."""

    number: int
    kind: str
    command: Command
    code: int
    said: str
    seconds: float

    @property
    def fault(self) -> str:
        """What is wrong with the end; empty if nothing is."""
        if self.code not in (0, 1, 2):
            return f"exit code {self.code}"
        if "Traceback" in self.said:
            return "a traceback"
        return f"{self.seconds:.0f} s" if self.seconds > SECONDS else ""


def run_one(number: int, seed: int, fit: Path) -> Outcome:
    """Make mutation `number` and run it in a forked process."""
    rng = random.Random(f"{seed} {number}")
    kind = rng.choices(list(KINDS), [weight for _, weight in KINDS.values()])[0]
    with tempfile.TemporaryDirectory() as name:
        place = Place(fit, Path(name))
        command = KINDS[kind][0](rng, place)
        log = Path(name) / "said.txt"
        code, seconds = forked(command, log, Path(name))
        return Outcome(number, kind, command, code, log.read_text("utf-8", "replace"), seconds)


def forked(command: Sequence[str], log: Path, folder: Path) -> tuple[int, float]:
    """Run a command in a forked process; return its exit code and the seconds of processor that it took."""
    pid = os.fork()
    if pid == 0:
        from gainlaw.cli.app import main

        os.chdir(folder)
        handle = os.open(log, os.O_WRONLY | os.O_CREAT)
        for stream in (1, 2):
            os.dup2(handle, stream)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        resource.setrlimit(resource.RLIMIT_CPU, (2 * SECONDS, 2 * SECONDS))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        signal.alarm(10 * SECONDS)  # for what waits and takes no time of the processor
        sys.argv = ["gainlaw", *command]
        code = 99
        try:
            main()
            code = 0
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 0
        finally:
            for output in (sys.stdout, sys.stderr):
                output.flush()
            os._exit(code)
    _, status, used = os.wait4(pid, 0)
    return os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime


def prepare(folder: Path) -> Path:
    """Fit the good table with its companion, which also compiles what the mutations need."""
    import gainlaw as gl

    evaluations = gl.read_evaluations(CASES / "good.csv")
    path = gl.fit(evaluations, draws=200, chains=2).save(folder / "fit")
    gl.assess(gl.load_fit(path), "slope > 0")
    gl.fit_curve([1e8, 3e8, 1e9, 3e9, 1e10], [9.0, 6.1, 4.0, 2.6, 1.8], law="power")
    return path


def main() -> int:
    """Run the mutations and print what came of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int)
    asked = parser.parse_args()
    warnings.simplefilter("ignore", DeprecationWarning)
    numbers = range(asked.first, asked.first + asked.count) if asked.only is None else [asked.only]
    ends: dict[str, Counter[int]] = {kind: Counter() for kind in KINDS}
    faults, slowest, begun = [], 0.0, time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        fit = prepare(Path(name))
        for number in numbers:
            outcome = run_one(number, asked.seed, fit)
            ends[outcome.kind][outcome.code] += 1
            slowest = max(slowest, outcome.seconds)
            if outcome.fault or asked.only is not None:
                faults += [outcome] if outcome.fault else []
                last = outcome.said if asked.only is not None else "\n".join(outcome.said.splitlines()[-3:])
                print(
                    f"{outcome.number} {outcome.kind}: {outcome.fault}: {outcome.command}\n{last}", flush=True
                )
    print(
        f"\n| mutated | runs | {' | '.join(f'exit {code}' for code in (0, 1, 2))} | other |\n|---|--:|--:|--:|--:|--:|"
    )
    for kind, counts in ends.items():
        known = [counts[code] for code in (0, 1, 2)]
        print(
            f"| {kind} | {counts.total()} | {' | '.join(map(str, known))} | {counts.total() - sum(known)} |"
        )
    print(
        f"\n{len(faults)} faults, slowest {slowest:.1f} s of the processor, {time.monotonic() - begun:.0f} s in all"
    )
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
