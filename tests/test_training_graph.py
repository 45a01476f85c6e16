"""The graph of an experiment: how many units, what their keys depend on, recipes, and what a plan makes of it."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("pydantic")
pytest.importorskip("torch")
pytest.importorskip("transformers")

from gainlaw.training.experiment.reading import list_shipped, open_experiment, parse_experiment
from gainlaw.training.experiment.recipes import DEFAULTS, Phase, Recipe, resolve_recipe
from gainlaw.training.experiment.schema import Experiment
from gainlaw.training.phases import asking
from gainlaw.training.phases.phase import _deciding
from gainlaw.training.phases.registry import PHASES, find_phase
from gainlaw.training.plan.costs import flops_per_example
from gainlaw.training.plan.report import make_plan
from gainlaw.training.runs.graph import UnitGraph, build_graph
from gainlaw.training.runs.results import _training_status
from gainlaw.training.runs.run import _parameters, _size
from gainlaw.units import versions
from gainlaw.units.execution import execute
from gainlaw.units.store import Store

BASE = 'name = "{0}"\nmodel_family = "XLM-R"\nhub = "FacebookAI/xlm-roberta-{0}"'
TINY = (
    'config = { model_type = "bert", hidden_size = 16, num_hidden_layers = 2, num_attention_heads = 2, '
    "intermediate_size = 64, max_position_embeddings = 128 }"
)


def read(text: str, folder: Path = Path()) -> Experiment:
    return parse_experiment(text, folder, "test")


def graph_of(text: str, folder: Path = Path(), device: str = "cpu") -> UnitGraph:
    return build_graph(read(text, folder), device)


def counts(graph: UnitGraph) -> dict[str, int]:
    """Return the distinct units of each phase."""
    return dict(Counter(unit.kind for unit in graph.units.values()))


def tables(**lists: list[str]) -> str:
    return "\n".join(f"[[{name}]]\n{text}" for name, each in lists.items() for text in each)


# --- how many units -------------------------------------------------------------------------------------------


def test_a_checkpoint_is_trained_once_for_all_that_need_it() -> None:
    text = 'name = "a"\nseeds = [0, 1]\n' + tables(
        checkpoints=[BASE.format("base"), BASE.format("large")],
        intermediates=['name = "nli"\ntasks = ["mnli"]', 'name = "two"\ntasks = ["siqa", "qqp"]'],
        targets=['task = "xnli"', 'task = "xcopa"', 'task = "pawsx"'],
    )
    graph = graph_of(text)
    models = 2 * (1 + 2) * 2  # checkpoints, baseline and intermediates, seeds
    # xnli is trained on mnli, pawsx on itself, xcopa on siqa and then on copa.
    hand = {"load": 2, "intermediate": 2 * 2 * 2, "finetune": models * 4, "evaluate": models * 3}
    assert counts(graph) == hand
    assert graph.wanted == hand
    assert len(graph.cells) == models * 3


def test_stages_are_shared_between_targets() -> None:
    checkpoints = [BASE.format("base")]
    shared = tables(
        checkpoints=checkpoints, targets=['task = "xcopa"', 'task = "siqa"', 'task = "xnli"', 'task = "mnli"']
    )
    graph = graph_of('name = "a"\n' + shared)
    # siqa is the first stage of xcopa and a target; mnli trains the head of xnli and of itself
    assert counts(graph) == {"load": 1, "finetune": 3, "evaluate": 4}
    assert graph.wanted == {"load": 1, "finetune": 5, "evaluate": 4}
    apart = shared.replace('task = "siqa"', 'task = "siqa"\ntraining = { epochs = 1 }')
    assert counts(graph_of('name = "a"\n' + apart))["finetune"] == 4


def test_the_same_model_twice_is_loaded_once() -> None:
    slow = BASE.format("base").replace('"base"', '"slow"', 1) + "\ntraining = { learning_rate = 1e-6 }"
    text = 'name = "a"\n' + tables(checkpoints=[BASE.format("base"), slow], targets=['task = "pawsx"'])
    graph = graph_of(text)
    assert counts(graph) == {"load": 1, "finetune": 2, "evaluate": 2}
    planned = make_plan(read(text), graph)
    assert [model.units for model in planned.models] == [3, 3]  # each counts the load, which is done once
    alone = text.replace("training = { learning_rate = 1e-6 }", "")
    assert counts(graph_of(alone)) == {"load": 1, "finetune": 1, "evaluate": 1}


PAIR = 'name = "a"\nprotocol = "prompted"\nseeds = [0, 1]\n' + tables(
    checkpoints=[
        'name = "bloom"\nmodel_family = "BLOOM"\nhub = "bigscience/bloom-560m"',
        'name = "bloomz"\nmodel_family = "BLOOM"\nhub = "bigscience/bloomz-560m"\nbase_model = "bloom"\n'
        'intermediate = "xP3"',
    ],
    targets=['task = "xnli"\nlanguages = ["en", "sw"]', 'task = "xcopa"'],
)


def test_a_released_pair_is_scored_once_whatever_the_seeds() -> None:
    graph = graph_of(PAIR)
    assert counts(graph) == {"load": 2, "rank": 4}
    assert graph.wanted == {"load": 2, "rank": 2 * 2 * 2}
    cells = {(c.model, c.base_model, c.intermediate, c.trained) for c in graph.cells}
    assert cells == {("bloom", "", "none", ""), ("bloomz", "bloom", "xP3", "")}


def test_only_the_base_of_a_released_pair_is_trained() -> None:
    agree = 'name = "agree"\ntasks = ["mnli"]\nmethod = "prompt_consistency"'
    graph = graph_of(PAIR + "\n" + tables(intermediates=[agree]))
    assert counts(graph) == {"load": 2, "consistency": 2, "rank": 4 + 2 * 2}


SCRATCH = (
    'name = "a"\nseeds = [0, 1]\n'
    + tables(
        checkpoints=[f'name = "tiny"\nmodel_family = "tiny"\n{TINY}'],
        intermediates=['name = "nli"\ntasks = ["world_nli"]\nexamples = 40'],
        targets=['task = "world_nli"\nexamples = 20', 'task = "world_copa"\nlimit = 30'],
    )
    + "\n[world]\ndocuments = 200\ntrain = 100\nvalidation = 10\ntest = 50\n[pretraining]\nseeds = [0, 5]\n"
)


def test_models_from_scratch() -> None:
    graph = graph_of(SCRATCH)
    models = 2 * 2 * 2  # pretraining seeds, seeds, baseline and intermediate
    assert counts(graph) == {
        "world": 1,
        "pretrain": 2,
        "align": 2,
        "intermediate": 2 * 2,
        "finetune": models * 2,
        "evaluate": models * 2,
    }
    assert {cell.model for cell in graph.cells} == {"tiny-s0", "tiny-s5", "tiny-s0+nli", "tiny-s5+nli"}
    random = SCRATCH.replace('name = "tiny"', 'name = "tiny"\npretrain = false', 1)
    assert counts(graph_of(random)) == {k.replace("pretrain", "load"): v for k, v in counts(graph).items()}


@pytest.mark.parametrize("name", list_shipped())
def test_shipped_experiments_have_the_units_of_their_design(name: str) -> None:
    experiment = open_experiment(name)
    graph = build_graph(experiment, "cpu")
    seeds = len(experiment.seeds)
    table = experiment.pretraining
    starts = {
        c.name: len(c.seeds or table.seeds) if c.config and table else 1 for c in experiment.checkpoints
    }
    kinds = {c.name: 1 if c.base_model else 1 + len(experiment.intermediates) for c in experiment.checkpoints}
    models = sum(starts[c.name] * seeds * kinds[c.name] for c in experiment.checkpoints)
    assert len(graph.cells) == models * len(experiment.targets)
    here = counts(graph)
    trained = sum(starts[c.name] * seeds * (kinds[c.name] - 1) for c in experiment.checkpoints)
    assert here.get("intermediate", 0) + here.get("consistency", 0) == trained
    assert here.get("pretrain", 0) + here.get("load", 0) == sum(starts.values())
    assert set(here) == set(graph.wanted)
    assert all(here[phase] <= graph.wanted[phase] for phase in here)
    assert {cell.unit for cell in graph.cells} <= set(graph.units)


def test_each_unit_comes_after_those_it_reads() -> None:
    seen: set[str] = set()
    for name, unit in graph_of(SCRATCH).units.items():
        assert name == unit.name
        assert set(unit.parents.values()) <= seen
        seen.add(name)


# --- what keys depend on --------------------------------------------------------------------------------------


def changed(before: UnitGraph, after: UnitGraph) -> set[str]:
    """Return the phases that have units which the graph before did not have."""
    return {unit.kind for name, unit in after.units.items() if name not in before.units}


BELOW = {"intermediate", "finetune", "evaluate"}
PRETRAINED = {"pretrain", "align", *BELOW}
ALL = {"world", *PRETRAINED}
CHANGES: dict[str, tuple[str, str, set[str]]] = {
    "seed": ("seeds = [0, 1]", "seeds = [0, 2]", BELOW),
    "pretraining seed": ("seeds = [0, 5]", "seeds = [0, 6]", PRETRAINED),
    "world": ("documents = 200", "documents = 201", ALL),
    "seed of the world": ("[world]", "[world]\nseed = 1", ALL),
    "configuration": ("hidden_size = 16", "hidden_size = 32", PRETRAINED),
    "recipe of pretraining": (
        "[world]",
        "[training.pretrain]\nmask_rate = 0.2\n[world]",
        PRETRAINED,
    ),
    "recipe of intermediates": ("[world]", "[training.intermediate]\nepochs = 1\n[world]", BELOW),
    "recipe of an intermediate": ("examples = 40", "examples = 40\ntraining.warmup = 0.2", BELOW),
    "recipe of fine-tuning": ("[world]", "[training.finetune]\nclip = 2\n[world]", {"finetune", "evaluate"}),
    "recipe of a target": ("limit = 30", "limit = 30\ntraining.clip = 2", {"finetune", "evaluate"}),
    "recipe of all": ("[world]", "[training]\nweight_decay = 0.1\n[world]", PRETRAINED),
    "recipe of a checkpoint": ('"tiny"\n', '"tiny"\ntraining.batch_size = 8\n', PRETRAINED),
    "adapters": ("limit = 30", "limit = 30\ntraining.lora.rank = 2", {"finetune", "evaluate"}),
    "examples of an intermediate": ("examples = 40", "examples = 41", BELOW),
    "tasks of an intermediate": ('["world_nli"]', '["world_nli", "world_siqa"]', BELOW),
    "masked language modelling": ("examples = 40", "examples = 40\nmlm = 0.1", BELOW),
    "examples of a target": ("examples = 20", "examples = 21", {"finetune", "evaluate"}),
    "items scored": ("limit = 30", "limit = 31", {"evaluate"}),
    "languages scored": ("limit = 30", 'limit = 30\nlanguages = ["en"]', {"evaluate"}),
    "split scored": ("limit = 30", 'limit = 30\nsplit = "validation"', {"evaluate"}),
    "threads": ("[world]", "[compute]\nthreads = 2\n[world]", PRETRAINED),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_determines_a_result_is_in_its_key(name: str) -> None:
    old, new, phases = CHANGES[name]
    assert old in SCRATCH
    before, after = graph_of(SCRATCH), graph_of(SCRATCH.replace(old, new, 1))
    assert changed(before, after) == phases


def test_the_baseline_does_not_depend_on_intermediates() -> None:
    before = graph_of(SCRATCH)
    after = graph_of(SCRATCH.replace("examples = 40", "examples = 41"))
    kept = {c.unit for c in before.cells if c.intermediate == "none"}
    assert kept == {c.unit for c in after.cells if c.intermediate == "none"}
    assert not kept & {c.unit for c in after.cells if c.intermediate != "none"}


def test_the_device_is_in_the_key_of_what_computes() -> None:
    assert changed(graph_of(SCRATCH), graph_of(SCRATCH, device="cuda")) == PRETRAINED


SAME: dict[str, Callable[[str], str]] = {
    "comments": lambda text: "# for a reader\n" + text.replace("[world]", "[world]  # made up"),
    "name and title": lambda text: text.replace('name = "a"', 'name = "b"\ntitle = "other words"', 1),
    "name of a checkpoint": lambda text: text.replace('name = "tiny"', 'name = "small"'),
    "family, published size": lambda text: text.replace(
        'model_family = "tiny"', 'model_family = "B"\nparams = 9'
    ),
    "name of an intermediate": lambda text: text.replace('name = "nli"', 'name = "inference"'),
    "workers, snapshots": lambda text: text + "[compute]\nworkers = 3\nsnapshot_seconds = 5\n",
    "budget": lambda text: text + "[budget]\ngpu_hours = 1\nthroughput_tflops = 1\n",
    "order of tables": lambda text: "\n".join(
        [text.split("[[")[0], text[text.index("[world]") :], text[text.index("[[") : text.index("[world]")]]
    ),
    "order of targets": lambda text: text.replace(
        'task = "world_nli"\nexamples = 20', 'task = "world_copa"\nlimit = 30', 1
    ).replace(
        '[[targets]]\ntask = "world_copa"\nlimit = 30\n[world',
        '[[targets]]\ntask = "world_nli"\nexamples = 20\n[world',
    ),
    "order of a configuration": lambda text: text.replace(
        'model_type = "bert", hidden_size = 16', 'hidden_size = 16, model_type = "bert"'
    ),
    "order of seeds": lambda text: text.replace("seeds = [0, 1]", "seeds = [1, 0]"),
    "what is the default": lambda text: text + "[training.finetune]\nepochs = 3\nlora = false\n",
    "whole numbers for fractions": lambda text: text + "[training]\nclip = 1\n",
    "what another phase does": lambda text: text + "[training.pretrain]\nsteps = 1000\n",
}


@pytest.mark.parametrize("name", SAME)
def test_what_determines_nothing_is_in_no_key(name: str) -> None:
    other = SAME[name](SCRATCH)
    assert other != SCRATCH
    assert set(graph_of(other).units) == set(graph_of(SCRATCH).units)


LOCAL = (
    'name = "a"\n'
    + tables(
        checkpoints=['name = "m"\nmodel_family = "m"\npath = "model"'],
        intermediates=['name = "nli"\ntasks = ["mnli"]\nmlm = 0.1\nmlm_corpus = ["corpus.txt"]'],
        targets=['task = "xcopa"\nlanguages = ["sw", "tr"]\ntrain = ["copa"]'],
    )
    + '\n[data]\nmnli = "data"\nxcopa = "data"\ncopa = "data"\n'
)
CHECKED = LOCAL + "[training]\npatience = 2\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a model and the files of three tasks; nobody parses them."""
    here = tmp_path / "here"
    (here / "model").mkdir(parents=True)
    (here / "data").mkdir()
    config = {"model_type": "bert", "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    (here / "model/config.json").write_text(json.dumps(config | {"intermediate_size": 8, "vocab_size": 99}))
    (here / "model/model.safetensors").write_bytes(b"weights")
    (here / "corpus.txt").write_text("some words\n")
    names = ["multinli_1.0_train.jsonl", "multinli_1.0_dev_matched.jsonl", "train.jsonl", "val.jsonl"]
    for name in [*names, "test.sw.jsonl", "test.tr.jsonl", "notes.md"]:
        (here / "data" / name).write_text(f"{name}\n")
    return here


BYTES: dict[str, tuple[str, str, set[str]]] = {
    "weights": (LOCAL, "model/model.safetensors", {"load", *BELOW}),
    "training data of an intermediate": (LOCAL, "data/multinli_1.0_train.jsonl", BELOW),
    "corpus of an intermediate": (LOCAL, "corpus.txt", BELOW),
    "training data of a target": (LOCAL, "data/train.jsonl", {"finetune", "evaluate"}),
    "test data": (LOCAL, "data/test.tr.jsonl", {"evaluate"}),
    "a file that nobody reads": (LOCAL, "data/notes.md", set()),
    "validation data that nobody reads": (LOCAL, "data/multinli_1.0_dev_matched.jsonl", set()),
    "validation data of an intermediate": (CHECKED, "data/multinli_1.0_dev_matched.jsonl", BELOW),
    "validation data of a target": (CHECKED, "data/val.jsonl", {"finetune", "evaluate"}),
}


@pytest.mark.parametrize("name", BYTES)
def test_the_bytes_of_files_are_in_the_keys_of_what_reads_them(name: str, folder: Path) -> None:
    text, file, phases = BYTES[name]
    before = graph_of(text, folder)
    with (folder / file).open("ab") as handle:
        handle.write(b" ")
    assert changed(before, graph_of(text, folder)) == phases


def test_where_files_lie_and_when_they_were_written_is_in_no_key(folder: Path, tmp_path: Path) -> None:
    before = graph_of(LOCAL, folder)
    shutil.move(folder, tmp_path / "there")
    for path in (tmp_path / "there").rglob("*"):
        os.utime(path, (1, 1))
    after = graph_of(LOCAL, tmp_path / "there")
    assert set(after.units) == set(before.units)
    assert after.units != before.units  # they know where their files are


def test_another_name_of_a_task_is_the_same_task(folder: Path) -> None:
    other = LOCAL.replace('tasks = ["mnli"]', 'tasks = ["MultiNLI"]').replace("xcopa =", "XCOPA =")
    assert set(graph_of(other, folder).units) == set(graph_of(LOCAL, folder).units)


@pytest.fixture
def code(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return what changes the code of a module, as far as keys are concerned."""
    true = versions._code_of

    def change(name: str) -> None:
        new = f"gainlaw.training.{name}"
        monkeypatch.setattr(versions, "_code_of", lambda each: true(each) + ("# new" if each == new else ""))

    return change


CODE: dict[str, set[str]] = {
    "world.corpus": ALL,
    "jobs.load": PRETRAINED,
    "train.objectives": PRETRAINED,
    "train.loop": PRETRAINED,
    "train.sampling": PRETRAINED,
    "tasks.world": BELOW,
    "jobs.supervised": BELOW,
    "jobs.evaluate": BELOW,
    "prompting.ranking": set(),
    "tasks.nli": set(),
    "plan.report": set(),
    "phases.supervised": set(),
}


@pytest.mark.parametrize("name", CODE)
def test_the_version_of_the_code_is_in_the_keys(name: str, code: Callable[[str], None]) -> None:
    before = graph_of(SCRATCH)
    code(name)
    assert changed(before, graph_of(SCRATCH)) == CODE[name]


@pytest.mark.parametrize(
    ("name", "phases"),
    [
        ("tasks.nli", BELOW),
        ("tasks.choice", {"finetune", "evaluate"}),
        ("tasks.paraphrase", set()),
        ("items.files", BELOW),
        ("items.hub", set()),
    ],
)
def test_the_readers_of_tasks_are_in_the_keys(
    name: str, phases: set[str], folder: Path, code: Callable[[str], None]
) -> None:
    before = graph_of(LOCAL, folder)
    code(name)
    assert changed(before, graph_of(LOCAL, folder)) == phases


def test_the_versions_of_libraries_are_in_the_keys_of_what_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    before = graph_of(SCRATCH)
    monkeypatch.setattr(asking, "installed_versions", lambda names: {"torch": "0.1"})
    assert changed(before, graph_of(SCRATCH)) == PRETRAINED


def test_words_about_code_are_in_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "some.py"
    monkeypatch.setattr(versions.importlib.util, "find_spec", lambda name: SimpleNamespace(origin=str(file)))

    def code_of(text: str) -> str:
        file.write_text(text)
        return versions._code_of.__wrapped__("some")

    plain = code_of("def f(x):\n    return x + 1\n")
    said = code_of('"""A module."""\n\n# why\ndef f(x):\n    """Add one."""\n    return x + 1  # so\n')
    assert plain == said
    assert plain != code_of("def f(x):\n    return x + 2\n")
    assert plain != code_of("def f(x):\n    return '' and x + 1\n")


_MODELS = {"jobs.job", "train.backbones", "train.adapters"}
_SCORES = {*_MODELS, *(f"train.{name}" for name in ("data", "batches", "heads", "objectives", "loop"))}
_CORE = {*_SCORES, "train.masking", "train.sampling", "train.snapshots"}
_PROMPTS = {
    *_MODELS,
    *(
        f"prompting.{name}"
        for name in ("stated", "templates", "encoding", "likelihood", "ranking", "agreement")
    ),
}
DECIDING = {
    "align": {"jobs.align", *_MODELS, "train.data", "train.batches", "train.heads"},
    "world": {"jobs.world", "world.meaning", "world.languages", "world.corpus"},
    "load": {"jobs.load", *_MODELS},
    "pretrain": {"jobs.pretrain", "jobs.load", *_CORE},
    "intermediate": {"jobs.supervised", "jobs.pretrain", "jobs.evaluate", *_CORE},
    "consistency": {
        "jobs.consistency",
        "prompting.consistency",
        "prompting.distillation",
        "train.loop",
        *_PROMPTS,
    },
    "finetune": {"jobs.supervised", "jobs.pretrain", "jobs.evaluate", *_CORE},
    "evaluate": {"jobs.evaluate", "items.metrics", *_SCORES},
    "trial": {"jobs.supervised", "jobs.evaluate", *_CORE},
    "choose": {"jobs.choose"},
    "retrieve": {"jobs.retrieve", "jobs.evaluate", "items.metrics", "train.heads"},
    "rank": {"jobs.rank", "prompting.protocol", "train.loop", *_PROMPTS},
}


@pytest.mark.parametrize("name", PHASES)
def test_what_does_a_phase_decides_its_result_and_what_asks_for_it_does_not(name: str) -> None:
    modules = {each.removeprefix("gainlaw.training.") for each in _deciding(find_phase(name).done_by)}
    assert DECIDING[name] <= modules
    rooms = {each.partition(".")[0] for each in modules - {"items.metrics"}}
    assert rooms <= {"jobs", "train", "shards", "prompting", "world"}


@pytest.mark.parametrize("name", PHASES)
def test_a_phase_says_what_it_is(name: str) -> None:
    phase = find_phase(name)
    assert phase.name == name
    assert phase.leaves
    assert phase.__doc__


# --- recipes --------------------------------------------------------------------------------------------------


def recipe_of(of: Phase = "finetune", **where: str) -> Recipe:
    """Return the recipe of a checkpoint, with lines of settings in some of the five tables."""
    text = 'name = "a"\n' + tables(
        checkpoints=[
            BASE.format("base") + f"\n[checkpoints.training]\n{where.get('checkpoint', '')}\n"
            f"[checkpoints.training.{of}]\n{where.get('checkpoint_phase', '')}"
        ],
        intermediates=[f'name = "i"\ntasks = ["mnli"]\n[intermediates.training]\n{where.get("own", "")}'],
        targets=[f'task = "pawsx"\n[targets.training]\n{where.get("own", "")}'],
    )
    text += f"\n[training]\n{where.get('all', '')}\n[training.{of}]\n{where.get('phase', '')}\n"
    experiment = read(text)
    own = {"finetune": experiment.targets[0].training, "intermediate": experiment.intermediates[0].training}
    return resolve_recipe(experiment, of, experiment.checkpoints[0], own.get(of))


LEVELS = ("all", "phase", "own", "checkpoint", "checkpoint_phase")


@pytest.mark.parametrize("phase", ["intermediate", "finetune"])
@pytest.mark.parametrize("level", range(len(LEVELS)))
def test_the_last_table_that_says_something_wins(phase: Phase, level: int) -> None:
    said = {name: f"learning_rate = 1e-{i + 1}" for i, name in enumerate(LEVELS[: level + 1])}
    recipe = recipe_of(phase, **said)
    assert recipe.learning_rate == float(f"1e-{level + 1}")
    assert recipe.batch_size == DEFAULTS[phase].batch_size


def test_what_nobody_says_is_the_default_of_the_phase() -> None:
    assert recipe_of() == DEFAULTS["finetune"]
    assert recipe_of("pretrain") == DEFAULTS["pretrain"]
    assert DEFAULTS["pretrain"].steps is not None
    assert DEFAULTS["finetune"].epochs is not None


def test_epochs_and_steps_replace_each_other() -> None:
    recipe = recipe_of(all="epochs = 5", own="steps = 7")
    assert (recipe.epochs, recipe.steps) == (None, 7)
    recipe = recipe_of(all="steps = 7", checkpoint="epochs = 5")
    assert (recipe.epochs, recipe.steps) == (5.0, None)
    recipe = recipe_of("pretrain", phase="epochs = 2")
    assert (recipe.epochs, recipe.steps) == (2.0, None)


def test_adapters_are_given_and_taken() -> None:
    given = recipe_of(all="lora = { rank = 4 }").lora
    assert given is not None
    assert given.rank == 4
    assert given.targets == ["query", "value"]
    assert recipe_of(all="lora = { rank = 4 }", own="lora = false").lora is None
    again = recipe_of(all="lora = { rank = 4 }", own="lora = false", checkpoint="lora = { alpha = 8 }").lora
    assert again is not None
    assert (again.rank, again.alpha) == (16, 8.0)


def test_a_recipe_survives_its_record() -> None:
    for recipe in (recipe_of(), recipe_of(all="lora = { rank = 4 }\npatience = 2", own="steps = 9")):
        assert Recipe.from_record(json.loads(json.dumps(recipe.record()))) == recipe


@pytest.mark.parametrize("name", list_shipped())
def test_only_the_learning_rate_differs_between_the_sizes_of_a_shipped_experiment(name: str) -> None:
    experiment = open_experiment(name)
    phases: tuple[Phase, ...] = ("pretrain", "intermediate", "finetune")
    for phase in phases:
        # A control keeps nothing of pretraining, of which it has none: it is another family, and alike in itself.
        recipes = [
            (pretrained, resolve_recipe(experiment, phase, checkpoint))
            for checkpoint in experiment.checkpoints
            for pretrained in (checkpoint.pretrain,)
        ]
        kinds = {(kind, json.dumps(recipe.record() | {"learning_rate": 0})) for kind, recipe in recipes}
        assert len(kinds) == len({kind for kind, _ in recipes})
        assert all(r.lora is None or "targets" in r.lora.model_fields_set for _, r in recipes)


def test_a_checkpoint_may_have_pretraining_seeds_of_its_own() -> None:
    name = 'name = "tiny"'
    assert name in SCRATCH
    plain, own = graph_of(SCRATCH), graph_of(SCRATCH.replace(name, f"{name}\nseeds = [5, 7, 9]"))
    assert {cell.model for cell in own.cells if cell.intermediate == "none"} == {
        "tiny-s5",
        "tiny-s7",
        "tiny-s9",
    }
    # What both have is one: more seeds are more units and no other ones.
    model = "tiny-s5+nli"
    units = [{cell.unit for cell in graph.cells if cell.model == model} for graph in (plain, own)]
    assert units[0] == units[1]
    assert units[0]


@pytest.mark.parametrize("name", ["ladder", "ladder_full"])
def test_every_size_of_the_ladder_has_its_control(name: str) -> None:
    experiment = open_experiment(name)
    sizes = {kind: [c for c in experiment.checkpoints if c.pretrain is kind] for kind in (True, False)}
    assert [c.config for c in sizes[True]] == [c.config for c in sizes[False]]
    assert {c.model_family for c in sizes[False]} == {"no pretraining"}
    for one, other in zip(sizes[True], sizes[False], strict=True):
        own = one.training.model_dump(exclude={"pretrain"}, exclude_none=True)
        assert other.training.model_dump(exclude_none=True) == own | {"freeze": "nothing"}
    # The small ladder is the lower part of the large one: what is done for one is done for the other.
    small, large = (build_graph(open_experiment(each), "cpu") for each in ("ladder", "ladder_full"))
    assert set(small.units) <= set(large.units)


def test_adapters_are_all_that_the_variant_of_the_study_differs_in() -> None:
    full, lora = open_experiment("xtreme_r"), open_experiment("xtreme_r_lora")
    own = {"name", "title", "training", "checkpoints", "text"}
    assert full.model_dump(exclude=own) == lora.model_dump(exclude=own)
    assert full.training.model_dump(exclude={"lora"}) == lora.training.model_dump(exclude={"lora"})
    assert full.training.lora is None
    for one, other in zip(full.checkpoints, lora.checkpoints, strict=True):
        assert one.model_dump(exclude={"training", "shards"}) == other.model_dump(
            exclude={"training", "shards"}
        )
        assert other.shards == 1


def test_the_largest_model_of_a_hub_is_begun_first_and_what_is_not_known_before_it() -> None:
    names = ("base", "xl", "large", "unheard-of")
    text = 'name = "a"\n' + tables(
        checkpoints=[BASE.format(name) for name in names],
        intermediates=['name = "nli"\ntasks = ["mnli"]'],
        targets=['task = "pawsx"'],
    )
    text = text.replace("FacebookAI/xlm-roberta-xl", "facebook/xlm-roberta-xl")
    graph = graph_of(text)
    sizes = _parameters(read(text), graph)
    for kind in ("load", "finetune", "evaluate"):
        units = sorted(graph.units.values(), key=lambda unit: -_size(graph, sizes, unit))
        begun = [unit.label.split(":")[0].split("+")[0].split(" ")[0] for unit in units if unit.kind == kind]
        assert list(dict.fromkeys(begun)) == ["unheard-of", "xl", "large", "base"]


def test_a_training_without_its_record_is_not_taken_for_one_that_went_well(tmp_path: Path) -> None:
    graph = graph_of('name = "a"\n' + tables(checkpoints=[BASE.format("base")], targets=['task = "pawsx"']))
    (cell,) = graph.cells
    folder = tmp_path / cell.trained
    for record, status in ((None, "unknown"), ("{", "unknown"), ('{"status": "ok"}', "ok")):
        folder.mkdir(exist_ok=True)
        if record is not None:
            (folder / "result.json").write_text(record)
        assert _training_status(graph, Store(tmp_path), cell.trained) == status
    assert _training_status(graph, Store(tmp_path), "") == "ok"


# --- the plan -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [SCRATCH, PAIR], ids=["scratch", "pair"])
def test_a_plan_counts_the_units_of_the_graph(text: str) -> None:
    graph = graph_of(text)
    planned = make_plan(read(text), graph)
    assert planned.distinct == counts(graph)
    assert planned.wanted == dict(graph.wanted)
    assert [unit.name for unit in planned.units] == list(graph.units)
    assert planned.done == {}
    shared = planned.distinct.get("world", 0)
    assert sum(model.units for model in planned.models) == len(graph.units) - shared
    assert sum(model.flops for model in planned.models) == pytest.approx(sum(u.flops for u in planned.units))


def test_what_is_done_is_not_left_to_do(tmp_path: Path) -> None:
    graph, experiment = graph_of(SCRATCH), read(SCRATCH)
    before = make_plan(experiment, graph)
    done = [unit for unit in before.units if unit.phase in {"world", "pretrain"}]
    for unit in done:
        execute(graph.units[unit.name], Store(tmp_path), lambda *_: None)
    (tmp_path / f"{next(u.name for u in before.units if u.phase == 'finetune')}.here-1.part").mkdir()
    after = make_plan(experiment, graph, Store(tmp_path))
    assert after.done == {"world": 1, "pretrain": 2}
    assert after.gpu_hours == before.gpu_hours == before.left_gpu_hours
    part = sum(unit.flops for unit in done) / sum(unit.flops for unit in before.units)
    assert after.left_gpu_hours == pytest.approx(before.left_gpu_hours * (1 - part))
    assert after.disk_gb == pytest.approx(before.disk_gb - sum(unit.disk_gb for unit in done))


#: Words of the world's languages, special tokens included.
VOCABULARY = 1030
#: Tokens of a document of the corpus, of one sentence, and of a sequence of each task, special tokens included.
CORPUS, PAIR_SIDE, NLI, COPA = 16.5, 8.7, 15.5, 15.5


def test_the_plan_of_a_world_is_what_is_computed_by_hand() -> None:
    text = (
        SCRATCH
        + "[training]\nbatch_size = 10\n[training.pretrain]\nsteps = 50\ncontrast = 1.0\ncontrast_pairs = 4\n"
        + "[training.finetune]\nepochs = 4\n"
    )
    text += "[budget]\nthroughput_tflops = 2.0\nutilisation = 0.5\n"
    experiment = read(text)
    planned = make_plan(experiment, build_graph(experiment, "cpu"))
    config = dict(experiment.checkpoints[0].config or {}) | {"vocab_size": VOCABULARY, "pad_token_id": 0}

    def train(tokens: float) -> float:
        return flops_per_example(config, tokens, phase="train")

    def infer(tokens: float) -> float:
        return flops_per_example(config, tokens, phase="infer")

    languages = 9
    hand = {
        ("pretrain", "pretraining"): 50 * (10 * train(CORPUS) + 4 * 2 * train(PAIR_SIDE)),
        ("align", "alignment"): languages * 200 * infer(PAIR_SIDE),
        ("intermediate", "nli"): 3 * 40 * train(NLI),
        ("finetune", "world_nli"): 4 * 20 * train(NLI),
        ("finetune", "world_copa"): 4 * 100 * 2 * train(COPA),  # two options; all items of the world
        ("evaluate", "world_nli"): languages * 50 * infer(NLI),
        ("evaluate", "world_copa"): languages * 30 * 2 * infer(COPA),
    }
    for unit in planned.units:
        if unit.phase == "world":
            assert unit.flops == 0
            continue
        (want,) = [
            f
            for (phase, word), f in hand.items()
            if phase == unit.phase and word in unit.label.replace("+nli", "")
        ]
        assert unit.flops == pytest.approx(want, rel=1e-12), unit.label
        assert unit.counted
    copies = {"pretrain": 2, "align": 2, "intermediate": 4, "finetune": 8, "evaluate": 8}
    total = sum(flops * copies[phase] for (phase, _), flops in hand.items())
    assert planned.gpu_hours == pytest.approx(total / (2.0e12 * 0.5) / 3600)


def test_the_lengths_of_the_world_are_those_of_its_texts() -> None:
    from gainlaw.training.jobs.world import world_tokenizer
    from gainlaw.training.world.corpus import WorldSettings, documents, make_world_and_languages, task_items

    settings = WorldSettings(documents=3000)
    corpus = make_world_and_languages(settings)
    tokenizer = world_tokenizer(corpus)

    def length(*texts: str) -> int:
        return len(tokenizer.encode(*texts).ids)

    made = list(documents(corpus, settings))
    lengths = [length(each.first, each.second) for each in made]
    assert sum(lengths) / len(lengths) == pytest.approx(CORPUS, rel=0.1)
    lengths = [length(text) for each in made if each.parallel for text in (each.first, each.second)]
    assert sum(lengths) / len(lengths) == pytest.approx(PAIR_SIDE, rel=0.1)
    english = corpus.languages[0]
    items = task_items(corpus, "world_nli", "test", english, 500, 0)
    lengths = [length(item["first"], item["second"]) for item in items]
    assert sum(lengths) / len(lengths) == pytest.approx(NLI, rel=0.1)
    items = task_items(corpus, "world_copa", "test", english, 500, 0)
    lengths = [length(item["context"], option) for item in items for option in item["options"]]
    assert sum(lengths) / len(lengths) == pytest.approx(COPA, rel=0.1)


def test_a_corpus_of_files_is_counted(folder: Path) -> None:
    from gainlaw.training.jobs.world import world_tokenizer
    from gainlaw.training.world.corpus import WorldSettings, make_world_and_languages

    world_tokenizer(make_world_and_languages(WorldSettings())).save(str(folder / "tokenizer.json"))
    (folder / "corpus.txt").write_text("four words a line\n\n" * 25)
    text = 'name = "a"\n' + tables(
        checkpoints=[f'name = "tiny"\nmodel_family = "tiny"\n{TINY}'], targets=['task = "pawsx"']
    )
    text += '\n[pretraining]\ncorpus = ["corpus.txt"]\ntokenizer = "tokenizer.json"\n'
    text += "[training.pretrain]\nepochs = 2\nbatch_size = 10\n"
    for world in ("", "[world]\n"):  # which is not what the model is pretrained on
        experiment = read(text + world, folder)
        planned = make_plan(experiment, build_graph(experiment, "cpu"))
        unit = next(unit for unit in planned.units if unit.phase == "pretrain")
        config = dict(experiment.checkpoints[0].config or {}) | {"vocab_size": VOCABULARY}
        one = flops_per_example(config, 19 * 0.24, phase="train")
        assert unit.flops == pytest.approx(2 * 25 * one, rel=1e-12)


def test_a_plan_names_what_is_not_known_here() -> None:
    text = 'name = "a"\n' + tables(
        checkpoints=[BASE.format("base"), 'name = "own"\nmodel_family = "own"\nhub = "somebody/own-model"'],
        intermediates=['name = "ccg"\ntasks = ["ccg"]'],
        targets=['task = "pawsx"'],
    )
    planned = make_plan(read(text), graph_of(text))
    assert planned.unknown == ("own",)
    assert planned.models[1].flops != planned.models[1].flops
    assert planned.gpu_hours > 0
    assert any("own" in note for note in planned.notes)
    assert any("data.ccg" in note for note in planned.notes)
