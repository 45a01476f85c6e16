"""Training on labelled examples: the intermediate phase, whose heads are dropped, and English fine-tuning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gainlaw.errors import Problem
from gainlaw.training.experiment.configurations import MASKED_TYPES, model_type_of
from gainlaw.training.experiment.recipes import Recipe, resolve_recipe
from gainlaw.training.experiment.taskchecks import place_faults
from gainlaw.training.phases.phase import Effort, Method, Phase
from gainlaw.training.phases.pretrain import training_effort
from gainlaw.training.phases.sweep import search

if TYPE_CHECKING:
    from gainlaw.training.experiment.schema import Experiment, Intermediate, Target
    from gainlaw.training.experiment.validation import Draft
    from gainlaw.training.phases.asking import Builder, Line
    from gainlaw.units.unit import Unit

__all__ = ["PHASES"]

_BOTH = ("train", "validation")
_COMMON = {"temperature": 1.0, "dropout": 0.1}


def _splits(recipe: Recipe) -> list[str]:
    """Return the splits that are read: where training is checked, the validation split too."""
    return ["train", "validation"] if recipe.patience else ["train"]


class SupervisedPhase(Method):
    """Trains on labelled examples of one task or several, and on masked text beside."""

    name, done_by = "intermediate", "jobs.supervised"
    protocol, keys = "finetune", frozenset({"sampling", "temperature", "mlm", "mlm_corpus"})
    leaves = ("model or adapters", "result.json")

    def request(self, builder: Builder, line: Line, each: Intermediate) -> Unit:
        """Ask for a model trained on an intermediate."""
        reads = builder.base(line.start, each.tasks)
        reads.shards = line.checkpoint.shards
        recipe = resolve_recipe(builder.experiment, "intermediate", line.checkpoint, each.training)
        entries = builder.entries(reads, each, _splits(recipe), line.seed)
        if each.mlm:
            builder.corpus(each.mlm_corpus, reads)
        spec = _COMMON | {
            "tasks": entries,
            "recipe": recipe.record(),
            "seed": line.seed,
            "temperature": each.temperature if each.sampling == "temperature" else 1.0,
            "mlm": each.mlm,
            "data": reads.data,
            "keep_head": False,
        }
        reads.parents["model"] = line.start
        label = f"{line.name}: {each.name}"
        sweep = builder.experiment.sweep
        if sweep is not None and self.name in sweep.phases:
            trial = builder.base(line.start, each.tasks)
            trial.parents["model"] = line.start
            own = {"tasks": builder.entries(trial, each, _BOTH, sweep.seed)}
            if each.mlm:
                builder.corpus(each.mlm_corpus, trial)
            spec = search(builder, sweep, spec, reads, (own, trial), label)
        return self.ask(builder, spec, reads, label)

    def splits(self, draft: Draft, each: Intermediate) -> list[str]:
        """Return the training split, and the validation split where some checkpoint is checked on it."""
        experiment = draft.experiment
        recipes = [
            resolve_recipe(experiment, "intermediate", c, each.training) for c in experiment.checkpoints
        ]
        return max((_splits(recipe) for recipe in recipes), key=len, default=["train"])

    def faults(self, draft: Draft, each: Intermediate, key: str) -> list[Problem]:
        """Return what keeps an intermediate from having masked text beside."""
        found: list[Problem] = []
        for number, place in enumerate(each.mlm_corpus or (), 1):
            found += place_faults(draft, place, f"{key}.mlm_corpus[{number}]", "file")
        if not each.mlm:
            if each.mlm_corpus is not None:
                hint = "mlm is the share of steps that go on with masked language modelling"
                found.append(Problem("mlm_corpus goes with mlm", f"{key}.mlm_corpus", hint=hint))
            return found
        if each.mlm_corpus is None and not draft.has("world"):
            hint = "add mlm_corpus, a list of text files"
            found.append(Problem("mlm reads a corpus", f"{key}.mlm", hint=hint))
        for _, checkpoint in draft.checkpoints():
            kind = model_type_of(draft.experiment, checkpoint) if checkpoint.base_model is None else None
            if kind is not None and kind not in MASKED_TYPES:
                hint = f"it is for {', '.join(MASKED_TYPES)}"
                what = f"{checkpoint.name} ({kind}) cannot go on with masked language modelling"
                found.append(Problem(what, f"{key}.mlm", hint=hint))
        return found

    def effort(self, experiment: Experiment, unit: Unit) -> Effort:
        """Return the passes of its recipe over the examples of its tasks."""
        return training_effort(experiment, unit)


class FinetunePhase(Phase):
    """Trains on the English side of a target, and keeps the head."""

    name, done_by = "finetune", "jobs.supervised"
    trains = True
    leaves = ("model or adapters", "head.safetensors", "head.json", "result.json")

    def request(self, builder: Builder, line: Line, target: Target, model: Unit, label: str) -> Unit:
        """Ask for the fine-tunings on the English side of a target, one after the other; return the last."""
        task = builder.task(target.task)
        recipe = resolve_recipe(builder.experiment, "finetune", line.checkpoint, target.training)
        for number, stage in enumerate(target.train or task.english_side or (task.name,)):
            reads = builder.base(line.start, [stage])
            reads.shards = line.checkpoint.shards
            entry = builder.entry(reads, stage, _splits(recipe), "en", target.examples, line.seed)
            spec = _COMMON | {
                "tasks": [entry],
                "recipe": recipe.record(),
                "seed": line.seed,
                "keep_head": True,
                "carry_head": number > 0,
            }
            reads.parents["model"] = model
            sweep = builder.experiment.sweep
            if sweep is not None and self.name in sweep.phases:
                trial = builder.base(line.start, [stage])
                trial.parents["model"] = line.start
                own = {"tasks": [builder.entry(trial, stage, _BOTH, "en", target.examples, sweep.seed)]}
                spec = search(
                    builder, sweep, spec, reads, (own, trial), f"{line.name}: fine-tuning on {stage}"
                )
            model = self.ask(builder, spec, reads, f"{label}: fine-tuning on {stage}")
        return model

    def effort(self, experiment: Experiment, unit: Unit) -> Effort:
        """Return the passes of its recipe over the examples of its task."""
        return training_effort(experiment, unit)


PHASES = (SupervisedPhase(), FinetunePhase())
