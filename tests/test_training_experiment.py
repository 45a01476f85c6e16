"""Bad experiment files: exit code 2, one line a fault that names the key, all faults at once, nothing written."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("pydantic")
pytest.importorskip("torch")
pytest.importorskip("transformers")

from gainlaw.errors import InputError
from gainlaw.training.experiment.reading import (
    list_shipped,
    open_experiment,
    parse_experiment,
    read_experiment,
)

if TYPE_CHECKING:
    from tests.conftest import Cli, Outcome

Fault = tuple[str, str]

XLMR = 'name = "xlmr"\nmodel_family = "XLM-R"\nhub = "FacebookAI/xlm-roberta-base"'
BLOOM = 'name = "bloom"\nmodel_family = "BLOOM"\nhub = "bigscience/bloom-560m"'
MT5 = 'name = "mt5"\nmodel_family = "mT5"\nhub = "google/mt5-small"'
SIZES = "hidden_size = 16, num_hidden_layers = 2, num_attention_heads = 2, intermediate_size = 32"


def made(config: str = "", *, model_type: str = "bert", more: str = "") -> str:
    """Return a checkpoint from scratch with some more in its configuration."""
    comma = ", " if config else ""
    return (
        f'name = "tiny"\nmodel_family = "tiny"\n{more}\n'
        f'config = {{ model_type = "{model_type}", max_position_embeddings = 128{comma}{config} }}'
    )


def toml(
    top: str = "",
    *checkpoints: str,
    targets: Iterable[str] = ('task = "xcopa"',),
    intermediates: Iterable[str] = (),
    rest: str = "",
) -> str:
    """Return an experiment file, which is valid but for what is asked for."""
    lists = {"checkpoints": checkpoints or (XLMR,), "intermediates": intermediates, "targets": targets}
    tables = [f"[[{name}]]\n{text}" for name, each in lists.items() for text in each]
    return "\n\n".join([f'name = "bad"\n{top}', *tables, rest]) + "\n"


NLI = 'name = "nli"\ntasks = ["mnli"]'
WORLD = "[world]\n"
SCRATCH = "[world]\n[pretraining]\n"
PROMPTED = 'protocol = "prompted"'
AGREE = 'name = "agree"\ntasks = ["mnli"]\nmethod = "prompt_consistency"'


def scratch(config: str, **more: str) -> str:
    """Return a file with a checkpoint from scratch in a world."""
    return toml("", made(config, **more), targets=['task = "world_copa"'], rest=SCRATCH)


@dataclass(frozen=True, slots=True)
class Bad:
    """A file, and what is to be said of it: key and an important word of each fault."""

    text: str
    faults: tuple[Fault, ...]


def bad(text: str, *faults: Fault) -> Bad:
    return Bad(text, faults)


TABLES = {
    # keys that are not there
    "unknown key": bad(toml("seed = [0]"), ("seed", "did you mean seeds")),
    "unknown key in capitals": bad(toml("Title = 'x'"), ("Title", "did you mean title")),
    "unknown key that resembles none": bad(toml("zzz = 1"), ("zzz", "allowed: budget, checkpoints")),
    "key of the program": bad(toml('folder = "x"\ntext = "y"'), ("folder", "no such"), ("text", "no such")),
    "unknown key of a checkpoint": bad(
        toml("", f'{XLMR}\nmodel_familly = "x"'),
        ("checkpoints[1].model_familly", "did you mean model_family"),
    ),
    "unknown key of an intermediate": bad(
        toml("", intermediates=[f"{NLI}\nexample = 3"]), ("intermediates[1].example", "did you mean examples")
    ),
    "unknown key of a target": bad(
        toml("", targets=['task = "xcopa"\nlangauges = ["sw"]']), ("targets[1].langauges", "languages")
    ),
    "unknown key of training": bad(
        toml("", rest="[training.finetune]\nlr = 1e-4"), ("training.finetune.lr", "learning_rate")
    ),
    "unknown key of a checkpoint's training": bad(
        toml("", BLOOM, f"{XLMR}\ntraining = {{ pretrain = {{ batchsize = 8 }} }}"),
        ("checkpoints[2].training.pretrain.batchsize", "did you mean batch_size"),
    ),
    "unknown key of lora": bad(
        toml("", rest="[training]\nlora = { rnk = 4 }"), ("training.lora.rnk", "did you mean rank")
    ),
    "unknown key with tag's name": bad(
        toml("", rest='[training]\nlora = { "@table" = 4 }'), ('training.lora."@table"', "no such key")
    ),
    "unknown key of a prompt": bad(
        toml(
            PROMPTED, BLOOM, targets=['task = "xnli"\nprompts = ["can-you", {name = "a", txt = "{first}"}]']
        ),
        ("targets[1].prompts[2].txt", "did you mean text"),
    ),
    "unknown key of the world": bad(toml("", rest="[world]\ntest_items = 3"), ("world.test_items", "test")),
    "unknown key of pretraining": bad(
        toml("", made(), rest="[world]\n[pretraining]\nseed = [0]"),
        ("pretraining.seed", "did you mean seeds"),
    ),
    "unknown key of compute": bad(toml("", rest="[compute]\nthread = 2"), ("compute.thread", "threads")),
    "unknown key of the budget": bad(
        toml("", rest="[budget]\ngpuhours = 2"), ("budget.gpuhours", "did you mean gpu_hours")
    ),
    # keys that are missing
    "no name": bad(toml("").replace('name = "bad"', "", 1), ("name", "missing")),
    "nothing at all": bad(
        "", ("name", "missing"), ("checkpoints", "[[checkpoints]]"), ("targets", "missing")
    ),
    "a mistyped list": bad(toml("").replace("[[targets]]", "[[target]]"), ("target", "did you mean targets")),
    "checkpoint without family": bad(
        toml("", XLMR.replace("model_family", "family")),
        ("checkpoints[1].family", "did you mean model_family"),
    ),
    "checkpoint without name": bad(
        toml("", 'model_family = "x"\nhub = "a/b"'), ("checkpoints[1].name", "missing")
    ),
    "intermediate without tasks": bad(
        toml("", intermediates=['name = "a"']), ("intermediates[1].tasks", "missing")
    ),
    "target without task": bad(toml("", targets=["examples = 3"]), ("targets[1].task", "missing")),
    "no checkpoints": bad(
        'name = "x"\ncheckpoints = []\n[[targets]]\ntask = "xcopa"', ("checkpoints", "empty; at least 1")
    ),
    # wrong types
    "seeds not a list": bad(toml("seeds = 0"), ("seeds", "not a list; such as seeds = [0]")),
    "seed a text": bad(toml('seeds = [0, "1"]'), ("seeds[2]", "not a whole number; without quotation marks")),
    "seed a truth": bad(toml("seeds = [true]"), ("seeds[1]", "true is not a whole number")),
    "no seeds": bad(toml("seeds = []"), ("seeds", "at least 1")),
    "a date for a name": bad(
        toml("").replace('"bad"', "2020-01-31", 1), ("name", "2020-01-31 is not a text")
    ),
    "one bracket": bad(
        'name = "x"\n[checkpoints]\nname = "a"\n[[targets]]\ntask = "xcopa"', ("checkpoints", "two brackets")
    ),
    "checkpoint a text": bad(
        'name = "x"\ncheckpoints = ["xlmr"]\n[[targets]]\ntask = "xcopa"', ("checkpoints[1]", "not a table")
    ),
    "world a number": bad(toml("world = 3"), ("world", "3 is not a table; such as world = { ... }")),
    "lora a number": bad(
        toml("", rest="[training]\nlora = 3"), ("training.lora", "neither a table nor false")
    ),
    "lora true": bad(toml("", rest="[training]\nlora = true"), ("training.lora", "true is neither")),
    "prompt a number": bad(
        toml(PROMPTED, BLOOM, targets=['task = "xnli"\nprompts = [1]']),
        ("targets[1].prompts[1]", "neither the name"),
    ),
    "rate a text": bad(
        toml("", f'{XLMR}\ntraining.learning_rate = "1e-4"'),
        ("checkpoints[1].training.learning_rate", "not a number; without quotation marks"),
    ),
    "steps a fraction": bad(
        toml("", rest="[training]\nsteps = 1.5"), ("training.steps", "not a whole number")
    ),
    "pretrain a number": bad(
        toml("", made(more="pretrain = 1"), rest=SCRATCH),
        ("checkpoints[1].pretrain", "neither true nor false"),
    ),
    "configuration a list": bad(
        toml("", 'name = "a"\nmodel_family = "a"\nconfig = [1]'),
        ("checkpoints[1].config", "a list is not a table"),
    ),
    "folder a number": bad(toml("", rest='[data]\n"paws-x" = 3'), ("data.paws-x", "not a text")),
    # out of range
    "rate nan": bad(
        toml("", rest="[training]\nlearning_rate = nan"), ("training.learning_rate", "not a finite")
    ),
    "rate above 1": bad(
        toml("", rest="[training]\nlearning_rate = 3"), ("training.learning_rate", "at most 1")
    ),
    "rate 0": bad(toml("", rest="[training]\nlearning_rate = 0"), ("training.learning_rate", "above 0")),
    "negative seed": bad(toml("seeds = [-1]"), ("seeds[1]", "-1 is out of range; at least 0")),
    "no examples": bad(
        toml("", targets=['task = "xcopa"\nexamples = 0']), ("targets[1].examples", "at least 1")
    ),
    "epochs without end": bad(toml("", rest="[training]\nepochs = inf"), ("training.epochs", "not a finite")),
    "steps beyond counting": bad(
        toml("", rest="[training]\nsteps = 99999999999999999999"), ("training.steps", "at most 2,147,483,647")
    ),
    "short inputs": bad(toml("", rest="[training]\nmax_length = 4"), ("training.max_length", "at least 8")),
    "schedule": bad(toml("", rest='[training]\nschedule = "step"'), ("training.schedule", "'cosine'")),
    "protocol": bad(toml('protocol = "prompt"'), ("protocol", "allowed: 'finetune' or 'prompted'")),
    "no targets": bad(
        toml("", rest="[training.lora]\ntargets = []"), ("training.lora.targets", "at least 1")
    ),
    "unknown target": bad(
        toml("", rest='[training.lora]\ntargets = ["qv"]'),
        ("training.lora.targets[1]", "'qv' is not allowed"),
    ),
    "rank 0": bad(toml("", rest="[training.lora]\nrank = 0"), ("training.lora.rank", "at least 1")),
    "utilisation": bad(toml("", rest="[budget]\nutilisation = 40"), ("budget.utilisation", "at most 1")),
    "families of ten": bad(toml("", rest="[world]\nper_family = 10"), ("world.per_family", "at most 9")),
    "warmup": bad(toml("", rest="[training]\nwarmup = 100"), ("training.warmup", "at most 1")),
    # names
    "name with a slash": bad(toml("").replace('"bad"', '"a/b"', 1), ("name", "is not a name")),
    "checkpoint called ..": bad(
        toml("", XLMR.replace('"xlmr"', '".."')), ("checkpoints[1].name", "is not a name")
    ),
    "intermediate with a blank": bad(
        toml("", intermediates=['name = "a b"\ntasks = ["mnli"]']), ("intermediates[1].name", "is not a name")
    ),
    "a folder for the hub": bad(
        toml("", XLMR.replace('"Face', '"./models/Face')), ("checkpoints[1].hub", "a folder goes in path")
    ),
    "empty text": bad(toml("", XLMR.replace("XLM-R", "")), ("checkpoints[1].model_family", "empty")),
}

DESIGN = {
    "two checkpoints of one name": bad(
        toml("", XLMR, BLOOM.replace('"bloom"', '"xlmr"')), ("checkpoints[2].name", "checkpoints[1] already")
    ),
    "two intermediates of one name": bad(
        toml("", intermediates=[NLI, NLI]), ("intermediates[2].name", "intermediates[1] already")
    ),
    "target twice": bad(
        toml("", targets=['task = "pawsx"', 'task = "PAWS-X"\nsplit = "validation"']),
        ("targets[2].task", "targets[1] already"),
    ),
    "seed twice": bad(toml("seeds = [0, 1, 0]"), ("seeds", "0 comes more than once")),
    "language twice": bad(
        toml("", targets=['task = "xcopa"\nlanguages = ["sw", "sw"]']),
        ("targets[1].languages", "sw comes more"),
    ),
    "names that meet": bad(
        toml("", made().replace('"tiny"', '"xlmr"', 1), XLMR.replace('"xlmr"', '"xlmr-s0"'), rest=SCRATCH),
        ("checkpoints[2].name", "xlmr-s0"),
    ),
    "two origins": bad(
        toml("", f'{XLMR}\npath = "x"'),
        ("checkpoints[1]", "it has hub and path"),
    ),
    "no origin": bad(toml("", 'name = "a"\nmodel_family = "a"'), ("checkpoints[1]", "it has none")),
    "revision of a folder": bad(
        toml("", 'name = "a"\nmodel_family = "a"\npath = "model"\nrevision = "main"'),
        ("checkpoints[1].revision", "goes with hub"),
    ),
    "pretraining of the pretrained": bad(
        toml("", f"{XLMR}\npretrain = false"), ("checkpoints[1].pretrain", "only a configuration")
    ),
    "pretraining seeds of the pretrained": bad(
        toml("", f"{XLMR}\nseeds = [0, 1, 0]"),
        ("checkpoints[1].seeds", "only a configuration"),
        ("checkpoints[1].seeds", "0"),
    ),
    # released pairs
    "base that is not there": bad(
        toml(
            PROMPTED,
            BLOOM,
            BLOOM.replace("bloom", "bloomz") + '\nbase_model = "blom"\nintermediate = "xP3"',
            targets=['task = "xnli"'],
        ),
        ("checkpoints[2].base_model", "did you mean bloom"),
    ),
    "base without intermediate": bad(
        toml("", XLMR, XLMR.replace('"xlmr"', '"two"') + '\nbase_model = "xlmr"'),
        ("checkpoints[2].base_model", "add intermediate"),
    ),
    "base of itself": bad(
        toml("", f'{XLMR}\nbase_model = "xlmr"\nintermediate = "x"'), ("checkpoints[1].base_model", "itself")
    ),
    "base from scratch": bad(
        toml("", made(), f'{XLMR}\nbase_model = "tiny"\nintermediate = "x"', rest=SCRATCH),
        ("checkpoints[2].base_model", "pretrained here"),
    ),
    "released baseline": bad(
        toml("", XLMR, XLMR.replace('"xlmr"', '"two"') + '\nbase_model = "xlmr"\nintermediate = "none"'),
        ("checkpoints[2].intermediate", "baseline"),
    ),
    "released and trained": bad(
        toml(
            "",
            XLMR,
            XLMR.replace('"xlmr"', '"two"') + '\nbase_model = "xlmr"\nintermediate = "nli"',
            intermediates=[NLI],
        ),
        ("checkpoints[2].intermediate", "also the name"),
    ),
    # settings
    "epochs and steps": bad(
        toml("", rest="[training.finetune]\nepochs = 1\nsteps = 5"), ("training.finetune", "epochs or steps")
    ),
    "contrast of labelled examples": bad(
        toml("", made(), rest=SCRATCH + "[training.finetune]\ncontrast = 1.0"),
        ("training.finetune.contrast", "it is of pretraining"),
    ),
    "contrast of a target": bad(
        toml("", made(), targets=['task = "xcopa"\ntraining.contrast_pairs = 8'], rest=SCRATCH),
        ("targets[1].training.contrast_pairs", "it is of pretraining"),
    ),
    "contrast without pretraining": bad(
        toml("", rest="[training]\ncontrast = 1.0"), ("training.contrast", "with a table [pretraining]")
    ),
    "contrast of a single pair": bad(
        toml("", made(), rest=SCRATCH + "[training.pretrain]\ncontrast_pairs = 1"),
        ("training.pretrain.contrast_pairs", "at least 2"),
    ),
    "contrast without parallel text": bad(
        toml(
            "",
            made(),
            rest='[pretraining]\ncorpus = ["words.txt"]\ntokenizer = "tokenizer.json"\n'
            "[training.pretrain]\ncontrast = 1.0",
        ),
        ("pretraining", "contrast needs parallel text"),
    ),
    "parallel text for nothing": bad(
        toml("", made(), rest='[world]\n[pretraining]\nparallel = ["words.txt"]'),
        ("pretraining.parallel", "add contrast"),
    ),
    "parallel text that is not there": bad(
        toml(
            "",
            made(),
            rest='[world]\n[pretraining]\nparallel = ["none.tsv"]\n[training.pretrain]\ncontrast = 1.0',
        ),
        ("pretraining.parallel[1]", "none.tsv"),
    ),
    "frozen in pretraining": bad(
        toml("", made(), rest=SCRATCH + '[training.pretrain]\nfreeze = "embeddings"'),
        ("training.pretrain.freeze", "pretraining trains all weights"),
    ),
    "frozen layers": bad(toml("", rest='[training]\nfreeze = "layers"'), ("training.freeze", "embeddings")),
    "pooling of what is prompted": bad(
        toml(PROMPTED, BLOOM, targets=['task = "xcopa"'], rest='[training]\npooling = "mean"'),
        ("training.pooling", "it is of fine-tuning"),
    ),
    "a world of few verbs": bad(
        toml("", rest="[world]\nverb_groups = 3"), ("world.verb_groups", "at least 4")
    ),
    "shares of the world": bad(
        toml("", rest="[world]\nparallel = 0.7\nmixed = 0.6"), ("world.mixed", "1.3 together")
    ),
    "too long for the model": bad(
        toml("", rest="[training]\nmax_length = 600"), ("training.max_length", "positions in xlmr (512)")
    ),
    "too long for a target": bad(
        toml("", targets=['task = "xcopa"\ntraining = { max_length = 513 }']),
        ("targets[1].training.max_length", "513"),
    ),
    # tasks
    "unknown task": bad(toml("", targets=['task = "xcoppa"']), ("targets[1].task", "did you mean xcopa")),
    "unknown intermediate task": bad(
        toml("", intermediates=['name = "a"\ntasks = ["mnli", "hellaswga"]']),
        ("intermediates[1].tasks", "did you mean hellaswag"),
    ),
    "unknown task of the world": bad(
        toml("", targets=['task = "world_kopa"'], rest=WORLD), ("targets[1].task", "did you mean world_copa")
    ),
    "unknown task of a folder": bad(toml("", rest='[data]\nmnly = "."'), ("data.mnly", "mnli")),
    "one task twice": bad(
        toml("", intermediates=['name = "a"\ntasks = ["squad", "squad_v1"]']),
        ("intermediates[1].tasks", "squad_v1"),
    ),
    "one folder twice": bad(toml("", rest='[data]\nsquad = "."\nsquad_v1 = "."'), ("data", "squad_v1")),
    "task of no world": bad(
        toml("", targets=['task = "world_copa"']), ("targets[1].task", "add a table [world]")
    ),
    "world's items from a folder": bad(
        toml("", targets=['task = "world_copa"'], rest='[world]\n[data]\nworld_copa = "."'),
        ("data.world_copa", "makes its own"),
    ),
    "spans that are prompted": bad(
        toml(PROMPTED, BLOOM, targets=['task = "squad_v2"']),
        ("targets[1].task", "cannot be prompted"),
    ),
    "what is not trained": bad(
        toml(
            "",
            intermediates=['name = "i"\ntasks = ["tatoeba"]'],
            targets=['task = "tatoeba"\nexamples = 3\nlanguages = ["de"]', 'task = "xnli"\nlayer = 2'],
        ),
        ("intermediates[1].tasks", "nothing is trained on it"),
        ("intermediates[1].tasks", "no train split"),
        ("targets[1].examples", "nothing is fine-tuned"),
        ("targets[2].layer", "goes with retrieval"),
    ),
    "languages of a task": bad(
        toml("", targets=['task = "xcopa"\nlanguages = ["sw", "fi", "xx"]']),
        ("targets[1].languages", "fi, xx"),
    ),
    "languages of the hub": bad(
        toml("", targets=['task = "xnli"\nlanguages = ["ko"]']), ("targets[1].languages", "ko")
    ),
    "languages of the world": bad(
        toml("", targets=['task = "world_copa"\nlanguages = ["en", "sw"]'], rest="[world]\nper_family = 2"),
        ("targets[1].languages", "there are: en, a1, r0, r1"),
    ),
    "validation of the world": bad(
        toml("", targets=['task = "world_copa"\nlanguages = ["r0"]\nsplit = "validation"'], rest=WORLD),
        ("targets[1].languages", "r0; there are: en"),
    ),
    "language of an intermediate": bad(
        toml("", intermediates=[f'{NLI}\nlanguage = "de"']), ("intermediates[1].language", "de")
    ),
    "split without labels": bad(
        toml("", targets=['task = "siqa"\nsplit = "test"']), ("targets[1].split", "siqa has no test split")
    ),
    "task without training data": bad(
        toml("", intermediates=['name = "a"\ntasks = ["xcopa"]']),
        ("intermediates[1].tasks", "no train split"),
    ),
    "stage of another kind": bad(
        toml("", targets=['task = "xcopa"\ntrain = ["mnli"]']),
        ("targets[1].train", "does not train the head"),
    ),
    # intermediates
    "an intermediate called none": bad(
        toml("", intermediates=['name = "none"\ntasks = ["mnli"]']), ("intermediates[1].name", "baseline")
    ),
    "no task": bad(
        toml("", intermediates=['name = "a"\ntasks = []']), ("intermediates[1].tasks", "at least 1")
    ),
    "folder of another task": bad(
        toml("", intermediates=[f'{NLI}\ndata = {{ anli = "." }}']),
        ("intermediates[1].data.anli", "not among"),
    ),
    "mlm without corpus": bad(
        toml("", intermediates=[f"{NLI}\nmlm = 0.2"]), ("intermediates[1].mlm", "corpus")
    ),
    "mlm of a decoder": bad(
        toml("", BLOOM, XLMR, intermediates=[f"{NLI}\nmlm = 0.2"], rest=WORLD),
        ("intermediates[1].mlm", "bloom (bloom) cannot go on"),
    ),
    "corpus without mlm": bad(
        toml("", intermediates=[f'{NLI}\nmlm_corpus = ["words.txt"]']),
        ("intermediates[1].mlm_corpus", "goes with mlm"),
    ),
    "corpus that is not there": bad(
        toml("", intermediates=[f'{NLI}\nmlm = 0.1\nmlm_corpus = ["words.txt", "no.txt"]']),
        ("intermediates[1].mlm_corpus[2]", "there is no 'no.txt'"),
    ),
    "temperature of nothing": bad(
        toml("", intermediates=[f"{NLI}\ntemperature = 3"]), ("intermediates[1].temperature", "sampling")
    ),
    "consistency of the fine-tuned": bad(
        toml("", intermediates=[AGREE]), ("intermediates[1].method", "protocol finetune")
    ),
    "labels of the prompted": bad(
        toml(PROMPTED, BLOOM, targets=['task = "xnli"'], intermediates=[NLI]),
        ("intermediates[1].method", "protocol prompted"),
    ),
    "consistency in epochs": bad(
        toml(PROMPTED, BLOOM, targets=['task = "xnli"'], intermediates=[f"{AGREE}\ntraining.epochs = 2"]),
        ("intermediates[1].training.epochs", "steps"),
    ),
    "consistency of two tasks": bad(
        toml(
            PROMPTED,
            BLOOM,
            targets=['task = "xnli"'],
            intermediates=[AGREE.replace('"mnli"', '"mnli", "anli"')],
        ),
        ("intermediates[1].tasks", "one task"),
    ),
    "consistency of spans": bad(
        toml(PROMPTED, BLOOM, targets=['task = "xnli"'], intermediates=[AGREE.replace("mnli", "squad_v1")]),
        ("intermediates[1].tasks", "ranking"),
    ),
    "prompts of the supervised": bad(
        toml("", intermediates=[f'{NLI}\nprompts = ["a", "b"]\nsplit = "validation"']),
        ("intermediates[1].split", "prompt_consistency"),
        ("intermediates[1].prompts", "prompt_consistency"),
    ),
    # prompts
    "prompts of the fine-tuned": bad(
        toml("", targets=['task = "xnli"\nprompts = ["can-you"]']), ("targets[1].prompts", "not prompted")
    ),
    "training of the prompted": bad(
        toml(PROMPTED, BLOOM, targets=['task = "xnli"\ntrain = ["mnli"]\nexamples = 3']),
        ("targets[1].train", "trains on nothing"),
        ("targets[1].examples", "trains on nothing"),
    ),
    "prompt of no name": bad(
        toml(PROMPTED, BLOOM, targets=['task = "xnli"\nprompts = ["nonesuch"]']),
        ("targets[1].prompts", "nonesuch"),
    ),
    "a task without prompts": bad(
        toml(PROMPTED, BLOOM, targets=['task = "world_nli"'], rest=WORLD),
        ("targets[1].prompts", "no prompts come with the task world_nli"),
    ),
    "prompt with an unknown field": bad(
        toml(
            PROMPTED,
            BLOOM,
            targets=[
                'task = "xnli"\nprompts = [{ name = "p", text = "{premise}?", answers = ["a", "b", "c"] }]'
            ],
        ),
        ("targets[1].prompts", "unknown field {premise}"),
    ),
    "prompt with too few answers": bad(
        toml(
            PROMPTED,
            BLOOM,
            targets=['task = "xnli"\nprompts = [{ name = "p", text = "{first}", answers = ["yes", "no"] }]'],
        ),
        ("targets[1].prompts", "2 answers for 3 classes"),
    ),
    "an encoder with prompts": bad(
        toml(PROMPTED, XLMR, targets=['task = "xnli"']), ("checkpoints[1].hub", "encoder")
    ),
    # data
    "folder that is not there": bad(
        toml("", intermediates=[NLI], rest='[data]\nmnli = "nowhere"'), ("data.mnli", "there is no 'nowhere'")
    ),
    "folder that is a file": bad(
        toml("", intermediates=[NLI], rest='[data]\nmnli = "words.txt"'), ("data.mnli", "is a file")
    ),
    "folder without the split": bad(
        toml("", intermediates=[NLI], rest='[data]\nmnli = "model"'),
        ("data.mnli", "the train split of MultiNLI"),
    ),
    "folder of an intermediate without the split": bad(
        toml("", intermediates=[f'{NLI}\ndata = {{ mnli = "model" }}']),
        ("intermediates[1].data.mnli", "the train split of MultiNLI"),
    ),
    "folder without a language": bad(
        toml("", targets=['task = "xcopa"\nlanguages = ["sw", "tr", "th"]'], rest='[data]\nxcopa = "xcopa"'),
        ("data.xcopa", "XCOPA in 'tr' (nor in th)"),
    ),
    "folder without the split to check on": bad(
        toml("", intermediates=[f"{NLI}\ntraining.patience = 2"], rest='[data]\nmnli = "mnli"'),
        ("data.mnli", "the validation split of MultiNLI"),
    ),
    "home of nobody": bad(toml("", rest='[data]\nmnli = "~nobody-of-this-name/x"'), ("data.mnli", "no path")),
    # local checkpoints
    "path that is not there": bad(
        toml("", 'name = "a"\nmodel_family = "a"\npath = "no"'), ("checkpoints[1].path", "there is no 'no'")
    ),
    "path without configuration": bad(
        toml("", 'name = "a"\nmodel_family = "a"\npath = "xcopa"'),
        ("checkpoints[1].path", "no config.json"),
        ("checkpoints[1].path", "safetensors"),
    ),
    "path without a model type": bad(
        toml("", 'name = "a"\nmodel_family = "a"\npath = "list"'), ("checkpoints[1].path", "model_type")
    ),
}

MODELS = {
    "no pretraining": bad(
        toml("", made(), targets=['task = "world_copa"'], rest=WORLD),
        ("checkpoints[1].config", "[pretraining]"),
    ),
    "no tokenizer": bad(
        toml("", made(), rest='[pretraining]\ncorpus = ["words.txt"]'),
        ("checkpoints[1].config", "pretraining.tokenizer"),
    ),
    "no corpus": bad(
        toml("", made(), rest='[pretraining]\ntokenizer = "tokenizer.json"'),
        ("pretraining", "needs a corpus"),
    ),
    "pretraining of nothing": bad(
        toml("", rest=SCRATCH), ("pretraining", "no checkpoint starts from a configuration")
    ),
    "tokenizer that is none": bad(
        toml("", made(), rest='[pretraining]\ncorpus = ["words.txt"]\ntokenizer = "run.json"'),
        ("pretraining.tokenizer", "not a tokenizer"),
    ),
    "tokenizer that is a text": bad(
        toml("", made(), rest='[world]\n[pretraining]\ntokenizer = "words.txt"'),
        ("pretraining.tokenizer", ".json"),
    ),
    "empty corpus": bad(
        toml("", made(), rest='[world]\n[pretraining]\ncorpus = ["words.txt", "empty.txt"]'),
        ("pretraining.corpus[2]", "is empty"),
    ),
    "no model type": bad(
        toml("", 'name = "a"\nmodel_family = "a"\nconfig = { hidden_size = 16 }', rest=SCRATCH),
        ("checkpoints[1].config.model_type", "missing"),
    ),
    "unknown model type": bad(
        scratch("", model_type="xlm-robert"), ("checkpoints[1].config.model_type", "did you mean xlm-roberta")
    ),
    "a decoder for masks": bad(
        toml("", 'name = "a"\nmodel_family = "a"\nconfig = { model_type = "bloom" }', rest=SCRATCH),
        ("checkpoints[1].config.model_type", "cannot be pretrained here"),
    ),
    "a model of images": bad(
        toml(
            "",
            'name = "a"\nmodel_family = "a"\npretrain = false\nconfig = { model_type = "vit" }',
            rest=WORLD,
        ),
        ("checkpoints[1].config.model_type", "no language model for text"),
    ),
    "mistyped key": bad(
        scratch("hiden_size = 16"), ("checkpoints[1].config.hiden_size", "did you mean hidden_size")
    ),
    "mistyped keys": bad(
        scratch("heads = 2, num_layers = 2"),
        ("checkpoints[1].config.heads", "bert has no such key"),
        ("checkpoints[1].config.num_layers", "num_hidden_layers"),
    ),
    "heads that do not divide": bad(
        scratch("hidden_size = 15, num_attention_heads = 2"), ("checkpoints[1].config", "not a multiple")
    ),
    "no heads": bad(
        scratch("num_attention_heads = 0"), ("checkpoints[1].config.num_attention_heads", "at least 1")
    ),
    "no layers, and fewer positions than none": bad(
        scratch("num_hidden_layers = 0, intermediate_size = -3"),
        ("checkpoints[1].config.num_hidden_layers", "at least 1"),
        ("checkpoints[1].config.intermediate_size", "at least 1"),
    ),
    "a size that is a text": bad(
        scratch('hidden_size = "16"'), ("checkpoints[1].config.hidden_size", "expected int, got str")
    ),
    "a dropout of 2": bad(
        scratch(f"{SIZES}, hidden_dropout_prob = 2.0"), ("checkpoints[1].config", "dropout probability")
    ),
    "a date": bad(scratch("hidden_act = 2020-01-01"), ("checkpoints[1].config.hidden_act", "neither a text")),
    "too few positions": bad(
        toml("", made(SIZES), targets=['task = "world_copa"'], rest=SCRATCH + "[training]\nmax_length = 129"),
        ("training.max_length", "positions in tiny (128)"),
    ),
    "positions behind the padding": bad(
        toml("", made(SIZES, model_type="roberta"), targets=['task = "world_copa"'], rest=SCRATCH),
        ("training.max_length", "128 tokens are more than there are positions in tiny (127)"),
    ),
    "too small a vocabulary": bad(
        scratch(f"{SIZES}, vocab_size = 100"), ("checkpoints[1].config.vocab_size", "of the tokenizer")
    ),
    "padding outside the vocabulary": bad(
        scratch(f"{SIZES}, pad_token_id = 90000"), ("checkpoints[1].config.pad_token_id", "90000")
    ),
}

SEVERAL = {
    "faults of tables and of the design": bad(
        toml(
            "seeds = [0, 0]\nnonsense = 1",
            XLMR.replace("XLM-R", ""),
            made("hiden_size = 3"),
            f'{BLOOM}\nbase_model = "blum"\nintermediate = "xP3"\ntraining = {{ epochs = 1, steps = 1 }}',
            targets=[
                'task = "xcopa"\nlanguages = ["fi"]',
                'task = "squad_v2"\ntrain = ["mnli"]',
                'task = "nope"',
                "task = 3",
            ],
            intermediates=['name = "none"\ntasks = ["xcopa"]', 'name = "b"\ntasks = ["mnli"]\nmlm = 2'],
            rest='[training]\nwarmup = 7\n[data]\nmnli = "nowhere"',
        ),
        ("nonsense", "no such key"),
        ("checkpoints[1].model_family", "empty"),
        ("intermediates[2].mlm", "below 1"),
        ("targets[4].task", "not a text"),
        ("training.warmup", "at most 1"),
        ("seeds", "more than once"),
        ("checkpoints[2].config", "[pretraining]"),
        ("checkpoints[2].config", "no tokenizer"),
        ("checkpoints[2].config.hiden_size", "did you mean hidden_size"),
        ("checkpoints[3].base_model", "blum"),
        ("checkpoints[3].training", "epochs or steps"),
        ("intermediates[1].name", "baseline"),
        ("intermediates[1].tasks", "no train split"),
        ("targets[1].languages", "fi"),
        ("targets[2].train", "does not train the head"),
        ("targets[3].task", "nope"),
        ("data.mnli", "nowhere"),
    ),
    "what a fault may explain is not said": bad(
        toml(
            "",
            made(),
            targets=['task = "world_copa"'],
            intermediates=[f"{NLI}\nmlm = 0.1"],
            rest="[world]\nseed = -1\n[pretraining]\nseeds = []",
        ),
        ("world.seed", "at least 0"),
        ("pretraining.seeds", "at least 1"),
    ),
}

FILES = TABLES | DESIGN | MODELS | SEVERAL
LINE = re.compile(r"^  - (?:column|key) '(.+?)': (.*)$", flags=re.MULTILINE)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of an experiment with some files beside it; it is the working directory too."""
    monkeypatch.chdir(tmp_path)
    for name in ("model", "list", "xcopa/sw", "mnli"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "words.txt").write_text("two words\n")
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "run.json").write_text("{}")
    config = {"model_type": "bert", "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    (tmp_path / "model/config.json").write_text(json.dumps(config))
    (tmp_path / "list/config.json").write_text("[1]")
    for name in ("model", "list"):
        (tmp_path / name / "model.safetensors").write_bytes(b"")
    (tmp_path / "xcopa/sw/test.sw.jsonl").write_text("")
    (tmp_path / "mnli/multinli_1.0_train.jsonl").write_text("")
    (tmp_path / "tokenizer.json").write_text(world_tokens())
    return tmp_path


def world_tokens() -> str:
    from gainlaw.training.jobs.world import world_tokenizer
    from gainlaw.training.world.corpus import WorldSettings, make_world_and_languages

    return world_tokenizer(make_world_and_languages(WorldSettings(antonyms=4, verb_groups=4))).to_str()


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() if path.is_file() else b"" for path in folder.rglob("*")}


def refuse(cli: Cli, folder: Path, *arguments: object) -> Outcome:
    """Run the command, which must refuse with exit code 2, print nothing else and write nothing."""
    before = tree(folder)
    outcome = cli(*arguments)
    assert outcome.code == 2, outcome.out + outcome.err
    assert not outcome.out
    assert outcome.err.startswith("error: ")
    assert "Traceback" not in outcome.err
    assert tree(folder) == before
    return outcome


@pytest.mark.parametrize("name", FILES)
def test_each_fault_is_one_line_that_names_its_key(name: str, cli: Cli, folder: Path) -> None:
    case = FILES[name]
    file = folder / "bad.toml"
    file.write_text(case.text, encoding="utf-8")
    outcome = refuse(cli, folder, "plan", file)
    count = len(case.faults)
    assert outcome.err.startswith(f"error: {file}: {count} problem{'s' if count > 1 else ''}\n"), outcome.err
    lines = LINE.findall(outcome.err)
    assert len(lines) == count == outcome.err.count("\n  - "), outcome.err
    rest = list(lines)
    for key, word in case.faults:
        hit = next((line for line in rest if line[0] == key and word in line[1]), None)
        assert hit is not None, f"nothing says {word!r} of {key}:\n{outcome.err}"
        rest.remove(hit)
    assert all(len(line) < 420 for line in outcome.err.splitlines())


def test_there_are_more_than_fifty_of_them() -> None:
    texts = {case.text for case in FILES.values()}
    assert len(texts) == len(FILES)
    assert len(FILES) > 100


def test_what_the_bad_files_change_is_good(cli: Cli, folder: Path) -> None:
    good = {
        "finetune": toml("", intermediates=[NLI]),
        "prompted": toml(PROMPTED, BLOOM, MT5, targets=['task = "xnli"'], intermediates=[AGREE]),
        "scratch": scratch(SIZES),
        "own tokenizer": toml(
            "", made(SIZES), rest='[pretraining]\ncorpus = ["words.txt"]\ntokenizer = "tokenizer.json"'
        ),
        "folder": toml("", 'name = "a"\nmodel_family = "a"\npath = "model"'),
        "mark at the start": "\ufeff" + toml(""),
    }
    for name, text in good.items():
        file = folder / "good.toml"
        file.write_text(text, encoding="utf-8")
        before = tree(folder)
        outcome = cli("plan", file)
        assert outcome.code == 0, f"{name}: {outcome.err}"
        assert tree(folder) == before


NOT_TOML: dict[str, tuple[bytes, str]] = {
    "not TOML": (b"name = ", "not valid TOML"),
    "key twice": (b'name = "a"\nname = "b"\n', "line 2"),
    "a table twice": (b"[world]\n[world]\n", "not valid TOML"),
    "deep": (b"a = " + b"[" * 100_000, "not valid TOML"),
    "a number of many digits": (b"a = " + b"1" * 10_000, "not valid TOML"),
    "not UTF-8": (b'name = "\xff\xfe"', "UTF-8"),
    "binary": (b"\x00\x01\x02", "not valid TOML"),
}


@pytest.mark.parametrize("name", NOT_TOML)
def test_files_that_are_not_toml(name: str, cli: Cli, folder: Path) -> None:
    content, word = NOT_TOML[name]
    (folder / "bad.toml").write_bytes(content)
    outcome = refuse(cli, folder, "plan", "bad.toml")
    assert outcome.err.startswith("error: bad.toml: 1 problem\n")
    assert word in outcome.err
    assert len(outcome.err.splitlines()) == 2


NO_FILES: dict[str, tuple[str, str]] = {
    "a file that is not there": ("nowhere.toml", "there is no such file"),
    "a record that is not there": ("nowhere.json", "there is no such file"),
    "a folder": ("model", "folder"),
    "a name that is unknown": ("laddr", "did you mean ladder"),
    "a name like none": ("zzz", "shipped are ladder"),
    "nothing": ("", "give"),
    "a name of no length that a file may have": ("x" * 300 + ".toml", "x"),
}


@pytest.mark.parametrize("name", NO_FILES)
def test_files_that_are_not_there(name: str, cli: Cli, folder: Path) -> None:
    argument, word = NO_FILES[name]
    outcome = refuse(cli, folder, "plan", argument)
    assert word in outcome.err
    assert len(outcome.err.splitlines()) <= 2


RECORDS: dict[str, str] = {
    "an object without the experiment": "{}",
    "a list": "[1, 2]",
    "a number": "3",
    "not JSON": "{",
    "an experiment that is no text": json.dumps({"experiment": 3, "folder": "."}),
    "a folder that is no text": json.dumps({"experiment": "name = 'a'", "folder": 3}),
    "deep": "[" * 100_000,
}


@pytest.mark.parametrize("name", RECORDS)
def test_records_that_are_none(name: str, cli: Cli, folder: Path) -> None:
    (folder / "run.json").write_text(RECORDS[name])
    outcome = refuse(cli, folder, "plan", "run.json")
    assert "not the record of a run" in outcome.err
    assert "run.json" in outcome.err


def test_a_record_with_a_faulty_experiment_names_the_key(cli: Cli, folder: Path) -> None:
    (folder / "run.json").write_text(json.dumps({"experiment": toml("seeds = 1"), "folder": str(folder)}))
    outcome = refuse(cli, folder, "plan", "run.json")
    assert LINE.findall(outcome.err)[0][0] == "seeds"


def test_a_plan_of_an_unknown_model_is_json(cli: Cli, folder: Path) -> None:
    (folder / "e.toml").write_text(toml("", XLMR, 'name = "own"\nmodel_family = "own"\nhub = "somebody/own"'))
    outcome = cli("plan", "e.toml", "--format", "json")
    assert outcome.code == 0, outcome.err
    planned = json.loads(outcome.out)
    assert planned["unknown"] == ["own"]
    assert [model["params"] for model in planned["models"]] == [278043648.0, None]


def test_data_that_is_not_in_its_format_is_told_with_file_and_line(cli: Cli, folder: Path) -> None:
    (folder / "mnli/multinli_1.0_train.jsonl").write_text('{"gold_label": "neutral"}\nnot JSON\n')
    (folder / "e.toml").write_text(toml("", intermediates=[NLI], rest='[data]\nmnli = "mnli"'))
    outcome = refuse(cli, folder, "plan", "e.toml")
    assert "multinli_1.0_train.jsonl" in outcome.err
    assert "line" in outcome.err


def test_a_file_that_cannot_be_read(cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "e.toml").write_text(toml())

    def read_text(path: Path, encoding: str) -> str:
        raise PermissionError(13, "Permission denied")

    for name in ("e.toml", "run.json"):
        with monkeypatch.context() as patch:
            patch.setattr(Path, "read_text", read_text)
            outcome = cli("plan", name)
        assert outcome.code == 2
        assert outcome.err == f"error: {name}: 1 problem\n  - cannot be read: Permission denied\n"


def test_experiments_of_hub_models_are_read_without_torch() -> None:
    code = (
        "import sys; from gainlaw.training.experiment.reading import open_experiment; "
        "open_experiment('xtreme_r'); print(*(set(sys.modules) & {'torch', 'transformers', 'pandas'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_a_budget_that_is_exceeded(cli: Cli, folder: Path) -> None:
    budget = "[budget]\ngpu_hours = 1e-9\ndisk_gb = 1e-9\nmemory_gb = 1e-9"
    (folder / "dear.toml").write_text(scratch(SIZES) + budget)
    before = tree(folder)
    planned = cli("plan", "dear.toml")
    assert planned.code == 1
    over = [line for line in planned.err.splitlines() if "over budget" in line]
    assert len(over) == 3
    assert all(word in line for word, line in zip(("work left", "disk", "memory"), over, strict=True))
    assert tree(folder) == before
    outcome = refuse(cli, folder, "run", "dear.toml", "-o", "runs")
    assert [key for key, _ in LINE.findall(outcome.err)] == ["budget"] * 3
    assert "--over-budget" in outcome.err


@pytest.mark.parametrize("name", list_shipped())
def test_shipped_experiments_are_valid(name: str) -> None:
    assert open_experiment(name).name


def test_other_names_of_tasks_are_one_name() -> None:
    text = toml(
        "",
        targets=['task = "PAWS-X"\ntrain = ["paws_x"]'],
        intermediates=['name = "a"\ntasks = ["SQuAD 2.0", "MultiNLI"]'],
        rest='[data]\nMulti-NLI = "/"',
    )
    with pytest.raises(InputError) as caught:
        parse_experiment(text, Path(), "x")
    assert [p.column for p in caught.value.problems] == ["data.mnli"]  # an empty place to look for MultiNLI
    experiment = parse_experiment(text.replace('[data]\nMulti-NLI = "/"', ""), Path(), "x")
    assert (experiment.targets[0].task, experiment.targets[0].train) == ("pawsx", ["pawsx"])
    assert experiment.intermediates[0].tasks == ["squad_v2", "mnli"]


def test_paths_start_at_the_file(folder: Path) -> None:
    (folder / "deep").mkdir()
    file = folder / "deep" / "e.toml"
    file.write_text(toml("", 'name = "a"\nmodel_family = "a"\npath = "../model"'))
    assert read_experiment(file).checkpoints[0].path == "../model"


def test_faults_of_the_command_line_and_of_python_are_the_same(cli: Cli, folder: Path) -> None:
    file = folder / "bad.toml"
    file.write_text(FILES["faults of tables and of the design"].text)
    outcome = refuse(cli, folder, "plan", file)
    with pytest.raises(InputError) as caught:
        read_experiment(file)
    assert outcome.err == f"error: {caught.value}\n"


@pytest.mark.parametrize("number", range(12))
def test_files_with_a_piece_cut_out_never_end_in_a_traceback(number: int, cli: Cli, folder: Path) -> None:
    text = FILES["faults of tables and of the design"].text + SCRATCH
    start = number * len(text) // 12
    (folder / "bad.toml").write_text(text[:start] + text[start + 17 :])
    refuse(cli, folder, "plan", "bad.toml")
