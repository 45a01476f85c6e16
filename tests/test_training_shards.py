"""Training that is spread over processes ends where that of one process does, whatever happens to them on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import run_cli
from gainlaw.errors import InputError
from gainlaw.training.experiment.reading import open_experiment, parse_experiment
from gainlaw.training.plan.report import make_plan
from gainlaw.training.runs.graph import build_graph
from gainlaw.training.shards.launching import shards_of
from gainlaw.training.train.batches import micro_batches
from gainlaw.units import schedule
from tiny_training import TOKENIZERS, WorkersHere, config_of, repeatable

pytest.importorskip("torch")

#: Losses are sums of fp32 numbers of order 1 in another order: they differ by a few times 6e-8 a step.
CLOSE = 1e-5
SCRIPT = Path(__file__).with_name("spread_training.py")
STOP_AT = 6
CUT = {"origin": "xlmr", "dropout": 0.1, "tokens": 64}
WHOLE = {"origin": "xlmr", "dropout": 0.0, "tokens": 4096}
TOKENIZER_OF = {"bert": "wordpiece", "xlmr": "unigram", "mt5": "unigram", "bloom": "bytelevel"}


def model_folder(name: str, folder: Path) -> None:
    """Write a tiny model with its tokenizer."""
    from gainlaw.training.train.backbones import make_model, save_model

    tokenizer = TOKENIZERS[TOKENIZER_OF[name]]()
    save_model(make_model(config_of(name, tokenizer), "encoder", 0), folder)
    tokenizer.save_pretrained(folder)


@dataclass(frozen=True, slots=True)
class Trained:
    """What one process found, what two found together, and where."""

    folder: Path
    alone: list[dict[str, Any]]
    together: list[dict[str, Any]]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Train alone and by two processes, and go on by the one with what the other began."""
    import spread_training

    root = tmp_path_factory.mktemp("spread")
    for name in TOKENIZER_OF:
        model_folder(name, root / name)

    def curve(place: str, settings: dict[str, Any], stop: int = 0) -> dict[str, Any]:
        places = {"origin": str(root / settings["origin"]), "folder": str(root / place)}
        return {"do": "curve", **settings, **places, "stop": stop}

    with repeatable():
        alone = spread_training.run(
            [curve("alone cut", CUT), curve("alone", WHOLE), curve("one then two", CUT, STOP_AT)]
        )
        plan = [
            curve("cut", CUT),
            curve("whole", WHOLE),
            curve("one then two", CUT),
            curve("two then one", CUT | {"tokens": 4096}, STOP_AT),
            curve("never stopped", CUT | {"tokens": 4096}),
            {"do": "half", "origin": str(root / "xlmr")},
            *(
                {"do": "loaded", "origin": str(root / name), "folder": str(root / f"{name} again")}
                for name in TOKENIZER_OF
            ),
        ]
        (root / "plan.json").write_text(json.dumps(plan))
        done = subprocess.run(
            [sys.executable, "-W", "error::UserWarning", str(SCRIPT), str(root / "plan.json")],
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        together = json.loads((root / "plan.out").read_text())
        alone += spread_training.run([curve("two then one", CUT | {"tokens": 4096})])
        alone += [spread_training.half(root / "xlmr", precision) for precision in ("bf16", "fp32")]
    return Trained(root, alone, together)


def spread_steps() -> int:
    from spread_training import STEPS

    return STEPS


def differences(one: dict[str, Any], two: dict[str, Any], what: str = "losses") -> float:
    first, second = ({str(k): v for k, v in each[what].items()} for each in (one, two))
    assert first.keys() == second.keys()
    return max(abs(first[k] - second[k]) for k in first)


@pytest.mark.parametrize("at", [0, 1], ids=["with dropout, in micro-batches", "without, in one batch"])
def test_two_processes_have_the_losses_of_one(trained: Trained, at: int) -> None:
    one, two = trained.alone[at], trained.together[at]
    assert len(one["losses"]) == spread_steps()
    assert differences(one, two) < CLOSE
    assert one["scores"] == two["scores"]
    assert len(set(one["scores"])) > 1
    # the optimiser divides by the size of a gradient, and of some (keys' biases) that is rounding alone
    assert differences(one, two, "norms") < 0.01
    assert max(one["losses"].values()) - min(one["losses"].values()) > 0.1


def test_one_goes_on_with_what_two_began_and_two_with_what_one_did(trained: Trained) -> None:
    begun, rest = trained.alone[2], trained.together[2]
    assert (len(begun["losses"]), len(rest["losses"])) == (STOP_AT, spread_steps() - STOP_AT)
    both = {"losses": {str(k): v for k, v in begun["losses"].items()} | rest["losses"]}
    assert differences(both, trained.alone[0]) < CLOSE
    assert rest["scores"] == trained.alone[0]["scores"]
    begun, rest = trained.together[3], trained.alone[3]
    assert (len(begun["losses"]), len(rest["losses"])) == (STOP_AT, spread_steps() - STOP_AT)
    both = {"losses": begun["losses"] | {str(k): v for k, v in rest["losses"].items()}}
    assert differences(both, trained.together[4]) < CLOSE
    # each has the dropout of its own cut of the batches, which stays that of those who began
    assert differences(trained.together[4], trained.together[0]) > 10 * CLOSE
    assert not list(trained.folder.glob("*/.snapshot*"))


@pytest.mark.parametrize("name", TOKENIZER_OF)
def test_a_spread_model_is_read_and_written_as_it_is(trained: Trained, name: str) -> None:
    import torch

    from gainlaw.training.train.backbones import load_model

    found = trained.together[6 + list(TOKENIZER_OF).index(name)]
    assert sum(found["held"]) == found["whole"]
    assert max(found["held"]) < 0.52 * found["whole"]  # half, and a row more of what has an odd number
    given = load_model(trained.folder / name, "encoder")
    for files, count in (("many", 2), ("one", 1)):
        folder = trained.folder / f"{name} again" / files
        assert len(list(folder.glob("*.safetensors"))) >= count
        again = load_model(folder, "encoder")
        assert type(again) is type(given)
        assert {n: p.dtype for n, p in again.named_parameters()} == {
            n: torch.float32 for n, _ in given.named_parameters()
        }
        for (first, one), (second, two) in zip(
            given.state_dict().items(), again.state_dict().items(), strict=True
        ):
            assert first == second
            assert torch.equal(one, two), first
        for (first, one), (second, two) in zip(given.named_buffers(), again.named_buffers(), strict=True):
            assert first == second
            assert torch.equal(one, two), first
        assert json.loads((folder / "config.json").read_text()) == json.loads(
            (trained.folder / name / "config.json").read_text()
        )


def test_products_in_bf16_keep_weights_and_their_parts_in_fp32(trained: Trained) -> None:
    one, exact, two = trained.alone[4], trained.alone[5], trained.together[5]
    assert two["kept"] == ["torch.float32"]
    size = np.linalg.norm(exact["gradients"]["a"])
    for task in ("a", "b"):
        assert two["losses"][task] == pytest.approx(exact["losses"][task], rel=0.01)  # 8 bits: 0.4% a number
        true, alone, spread = (np.array(each["gradients"][task]) for each in (exact, one, two))
        # of a batch of choices the gradient is next to nothing before any training, and rounding more than it
        assert np.linalg.norm(spread - true) < 0.02 * size
        assert np.linalg.norm(alone - true) < 0.02 * size
        assert np.linalg.norm(spread - true) > 1e-5 * size  # it did run in bf16
    assert np.linalg.norm(exact["gradients"]["b"]) < 0.02 * size


@given(
    lengths=st.lists(st.integers(1, 60), min_size=1, max_size=40),
    tokens=st.integers(1, 3000),
    parts=st.integers(1, 9),
)
def test_a_batch_is_cut_into_as_many_parts_as_there_are_processes(
    lengths: list[int], tokens: int, parts: int
) -> None:
    known, rows = np.array(lengths), np.arange(len(lengths))
    plain, cut = micro_batches(rows, known, tokens), micro_batches(rows, known, tokens, parts)
    assert sorted(np.concatenate(cut)) == rows.tolist()

    def largest(pieces: list[np.ndarray]) -> int:
        return max(len(piece) * int(known[piece].max()) for piece in pieces)

    if len(plain) >= parts:
        assert [piece.tolist() for piece in cut] == [piece.tolist() for piece in plain]
    else:
        assert len(plain) <= len(cut) <= parts
        ordered = rows[np.argsort(-known, kind="stable")]
        even = [piece for piece in np.array_split(ordered, parts) if len(piece)]
        assert largest(cut) <= min(largest(even), largest(plain))


def test_frozen_products_in_bf16_change_nothing_but_their_memory(tmp_path: Path) -> None:
    import torch

    import spread_training
    from gainlaw.training.train.adapters import add_adapters, halve_frozen
    from gainlaw.training.train.data import encode
    from gainlaw.training.train.loop import train
    from gainlaw.training.train.objectives import Supervised
    from test_training_loop import classes, model_of, wordpiece

    recipe = replace(spread_training.RECIPE, precision="bf16", steps=6)
    found = []
    for halve in (False, True):
        model = model_of("bert")
        torch.manual_seed(0)
        add_adapters(model.backbone, 4, 8.0, 0.1, ["query", "value"])
        if halve:
            halve_frozen(model.backbone)
        encoded = encode(classes(20), "classification", wordpiece(), 32)
        (tmp_path / f"{halve}").mkdir()
        with repeatable():
            objective = Supervised(model, {"t": encoded}, 6, 0, 0)
            result = train(objective, recipe, seed=1, folder=tmp_path / f"{halve}")
        trained = {n: p.detach() for n, p in model.named_parameters() if p.requires_grad}
        found.append((result.loss, trained, sum(p.nbytes for p in model.parameters())))
    (one, first, large), (two, second, small) = found
    assert one == two
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert small < 0.8 * large  # tables of tokens are a good part of so small a model


# What is asked for, planned and refused

TOML = """
name = "spread"
world = {{ documents = 150, train = 32, validation = 10, test = 20, per_family = 1 }}
compute = {{ workers = 1, device = "cpu", snapshot_seconds = 0.1 }}
training = {{ learning_rate = 1e-3, max_length = 64, batch_size = 16, micro_batch_tokens = 128, epochs = 3 }}
targets = [{{ task = "world_nli" }}]

[[checkpoints]]
name = "m"
model_family = "M"
path = "m"
{more}
"""


def test_trainings_are_spread_and_their_names_stay(tmp_path: Path) -> None:
    model_folder("xlmr", tmp_path / "m")
    more = 'intermediates = [{ name = "nli", tasks = ["world_nli"] }]\nsweep = { factors = [1.0, 3.0] }\n'
    graphs = []
    for shards in ("shards = 4", ""):
        asked = parse_experiment(more + TOML.format(more=shards), tmp_path, "spread.toml")
        graphs.append(build_graph(asked, "cpu"))
    spread, plain = graphs
    assert spread.units.keys() == plain.units.keys()  # how many there are is in no key
    counts: dict[str, set[int]] = {}
    for unit in spread.units.values():
        counts.setdefault(unit.kind, set()).add(shards_of(unit))
    assert counts == {
        **{kind: {4} for kind in ("intermediate", "finetune", "trial")},
        **{kind: {1} for kind in ("load", "world", "choose", "evaluate")},
    }
    assert {shards_of(unit) for unit in plain.units.values()} == {1}


def test_a_plan_has_the_gpus_of_a_unit_and_what_each_needs() -> None:
    asked = open_experiment("xtreme_r", only=["xlm-roberta-xl", "xlm-roberta-xxl", "mnli", "xnli"])
    made = make_plan(asked, build_graph(asked, "cuda"))
    assert [(model.name, model.gpus) for model in made.models] == [
        ("xlm-roberta-xl", 2),
        ("xlm-roberta-xxl", 8),
    ]
    for model in made.models:
        assert model.full_gb > 79  # more than a GPU of 80 GB has beside its kernels
        assert model.memory_gb < 60
    assert {(unit.phase, unit.gpus) for unit in made.units if "xxl" in unit.label} == {
        ("load", 1),
        ("intermediate", 8),
        ("finetune", 8),
        ("evaluate", 1),
    }
    assert made.parallel == 8
    longest = max(made.wall_hours for made in [make_plan(asked, build_graph(asked, "cuda"), parallel=800)])
    assert longest < made.wall_hours < made.gpu_hours
    assert made.wall_hours > made.gpu_hours / 8


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("shards = 2\n[training]\nlora = { rank = 4 }\n", "adapters are trained on one device"),
        (
            'shards = 2\n[[intermediates]]\nname = "i"\ntasks = ["world_nli"]\nmlm = 0.2\n',
            "masked text beside",
        ),
        ("shards = 2\n[[slurm]]\ngpus = 1\n", "no class of jobs has 2 GPUs"),
        ("shards = 0\n", "shards"),
    ],
)
def test_what_cannot_be_spread_is_refused(text: str, said: str, tmp_path: Path) -> None:
    model_folder("xlmr", tmp_path / "m")
    stated = TOML.format(more=text)
    if "[training]" in text:
        stated = "".join(
            line for line in stated.splitlines(keepends=True) if not line.startswith("training =")
        )
    with pytest.raises(InputError, match=said) as error:
        parse_experiment(stated, tmp_path, "spread.toml")
    assert [p.column for p in error.value.problems] == ["checkpoints[1].shards"]


def test_what_is_made_here_or_prompted_is_not_spread(tmp_path: Path) -> None:
    made = TOML.format(more="shards = 2\npretrain = false\n").replace(
        'path = "m"', "config = " + json.dumps("c")
    )
    made = made.replace(
        'config = "c"', 'config = { model_type = "bert", hidden_size = 16, num_attention_heads = 2 }'
    )
    with pytest.raises(InputError, match="made here is made on one device"):
        parse_experiment(made, tmp_path, "spread.toml")
    model_folder("bloom", tmp_path / "m")
    prompted = 'protocol = "prompted"\n' + TOML.format(more="shards = 2\n").replace("world_nli", "world_copa")
    with pytest.raises(InputError, match="what is prompted is scored on one device"):
        parse_experiment(prompted, tmp_path, "spread.toml")


# Who does it


def test_models_spread_over_more_gpus_than_there_are_do_not_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gainlaw.training.runs import run

    model_folder("xlmr", tmp_path / "m")
    monkeypatch.setattr(run, "count_gpus", lambda: 1)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    asked = parse_experiment(TOML.format(more="shards = 2\n"), tmp_path, "spread.toml")
    with pytest.raises(InputError, match="there are 1 GPUs here, and models are spread over more: m over 2"):
        run.run_experiment(asked, tmp_path / "runs", device="cuda")


def ranks(process: int) -> list[int]:
    """Return the processes that do a unit together, below one that was started."""
    found, waiting = [], [process]
    while waiting:
        parent = waiting.pop()
        children = Path(f"/proc/{parent}/task/{parent}/children")
        below = [int(each) for each in children.read_text().split()] if children.exists() else []
        waiting += below
        for each in below:
            words = Path(f"/proc/{each}/cmdline").read_bytes().split(b"\0")
            found += (
                [each]
                if b"gainlaw.training.shards" in words and b"torch.distributed.run" not in words
                else []
            )
    return found


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
@pytest.mark.parametrize("signalled", [False, pytest.param(True, marks=pytest.mark.calibration)])
def test_a_killed_process_ends_the_unit_and_another_attempt_ends_where_one_process_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signalled: bool
) -> None:
    model_folder("xlmr", tmp_path / "m")
    for name, shards in (("two", "shards = 2"), ("one", "")):
        text = TOML.format(more=shards)
        # who is asked to stop needs something left to do
        text = text.replace("train = 32", "train = 64") if signalled else text
        (tmp_path / f"{name}.toml").write_text(text)

    def words(name: str) -> list[str]:
        return ["run", str(tmp_path / f"{name}.toml"), "-o", str(tmp_path / name), "--json"]

    def states(out: str) -> list[str]:
        return [unit["state"] for unit in json.loads(out)["units"]]

    command = [sys.executable, "-m", "gainlaw.cli", *words("two")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while process.poll() is None and not list(
            tmp_path.glob("two/units/finetune-*.part/snapshot-*/.metadata")
        ):
            time.sleep(0.05)
        begun = ranks(process.pid)
        assert len(begun) == 2
        os.kill(begun[1], signal.SIGKILL)
        while process.poll() is None and not list(tmp_path.glob("two/units/*.part/failures.json")):
            time.sleep(0.05)
        assert not [pid for pid in begun if Path(f"/proc/{pid}/environ").exists() and alive(pid)]
        (failures,) = tmp_path.glob("two/units/*.part/failures.json")
        (failure,) = json.loads(failures.read_text())
        assert failure["again"]
        assert "one of 2 processes failed or was killed, and all have ended" in failure["said"]
        if signalled:
            ask_to_stop(process, tmp_path)
        out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    assert states(out) == ["done"] * 4
    monkeypatch.setattr(schedule, "Workers", WorkersHere)
    with repeatable():
        alone = run_cli(*words("one"))
    assert alone.code == 0, alone.err
    one, two = (
        {p.parent.name: p for p in (tmp_path / n).glob("units/*/predictions.parquet")} for n in ("one", "two")
    )
    assert one.keys() == two.keys()
    for name in one:
        first, second = pd.read_parquet(one[name]), pd.read_parquet(two[name])
        assert first.drop(columns="logits").equals(second.drop(columns="logits"))
        np.testing.assert_allclose(np.stack(first["logits"]), np.stack(second["logits"]), atol=1e-4)
    assert not list(tmp_path.glob("two/units/*/snapshot*"))
    tables = [(tmp_path / name / "spread" / "evaluations.csv").read_text() for name in ("one", "two")]
    assert tables[0] == tables[1]
    # what is finished is kept, by however many processes it would be done now
    assert set(states(run_cli(*words("two")).out)) == {"kept"}


def ask_to_stop(process: subprocess.Popen[str], folder: Path) -> None:
    """Send what Slurm sends to all processes, once they have a new snapshot: they write down where they are."""
    at = [path.name for path in folder.glob("two/units/*.part/snapshot-*")]
    while process.poll() is None and not (
        ranks(process.pid) and [p.name for p in folder.glob("two/units/*.part/snapshot-*")] != at
    ):
        time.sleep(0.05)
    for pid in ranks(process.pid):
        os.kill(pid, signal.SIGTERM)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
