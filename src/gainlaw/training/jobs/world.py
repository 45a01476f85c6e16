"""Write a synthetic world: tokenizer, corpus, items of every task in every language, and the languages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gainlaw._io import write_text_atomic
from gainlaw.training.jobs.job import Job
from gainlaw.training.world.corpus import (
    WORLD_TASKS,
    Corpus,
    WorldSettings,
    documents,
    items_file,
    make_world_and_languages,
    probes,
    task_items,
)

__all__ = ["run", "world_tokenizer", "write_world"]

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def run(job: Job) -> None:
    """Write the world that the spec, the values of `WorldSettings`, describes."""
    write_world(WorldSettings(**job.spec), job.folder)


def write_world(settings: WorldSettings, folder: Path) -> None:
    """Write a world into a folder.

    Parameters
    ----------
    settings : WorldSettings
        The world.
    folder : Path
        Gets ``tokenizer.json``, ``corpus.tsv`` (two texts a line), ``parallel.tsv`` (those of its lines that are a
        sentence and its translation), ``items/TASK/SPLIT.LANGUAGE.jsonl``, ``languages.json``, and ``lexicon.json``
        (of every language its words, in the same order, and the same sentences).
    """
    corpus = make_world_and_languages(settings)
    lines = [(f"{first}\t{second}\n", same) for first, second, same in documents(corpus, settings)]
    write_text_atomic(folder / "corpus.tsv", "".join(line for line, _ in lines))
    write_text_atomic(folder / "parallel.tsv", "".join(line for line, same in lines if same))
    world_tokenizer(corpus).save(str(folder / "tokenizer.json"))
    english = corpus.languages[0]
    table = [
        {
            "language": language.code,
            "language_family": language.family.name,
            "word_order": language.family.order,
            "corpus_weight": language.weight,
        }
        for language in corpus.languages
    ]
    write_text_atomic(folder / "languages.json", json.dumps(table, indent=1) + "\n")
    sentences = probes(corpus, settings)
    lexicon = {
        language.code: {"words": list(language.words.values()), "sentences": sentences[language.code]}
        for language in corpus.languages
    }
    write_text_atomic(folder / "lexicon.json", json.dumps(lexicon) + "\n")
    for task in WORLD_TASKS:
        for split, languages, count in (
            ("train", (english,), settings.train),
            ("validation", (english,), settings.validation),
            ("test", corpus.languages, settings.test),
        ):
            for language in languages:
                items = task_items(corpus, task, split, language, count, settings.seed)
                text = "".join(json.dumps(item) + "\n" for item in items)
                write_text_atomic(items_file(folder, task, split, language.code), text)


def world_tokenizer(corpus: Corpus) -> Any:
    """Return a tokenizer of whole words: every word of every language has an id."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    words = dict.fromkeys((*SPECIAL, "."))
    for language in corpus.languages:
        words |= dict.fromkeys(language.words.values())
    vocabulary = {word: i for i, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(name, vocabulary[name]) for name in ("[CLS]", "[SEP]")],
    )
    return tokenizer
