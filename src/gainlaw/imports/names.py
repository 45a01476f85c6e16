"""Names in files of results: which task and language a task's name says, and which family a model's."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from gainlaw.imports.wishes import TaskRule, pattern_of
from gainlaw.scores.languages import is_language, language_called
from gainlaw.scores.metrics import find_metric
from gainlaw.sizes import size_in_name
from gainlaw.tasks import find_task

__all__ = ["doubtful_language", "family_of", "language_names", "language_of", "name_task"]

#: Tasks that come in languages, by how their names begin in files: the task's name here, and the prompt that it says.
_MULTILINGUAL = {
    "xnli": ("xnli", ""),
    "xcopa": ("xcopa", ""),
    "paws": ("pawsx", ""),
    "pawsx": ("pawsx", ""),
    "paws_x": ("pawsx", ""),
    "xstorycloze": ("xstory_cloze", ""),
    "xstory_cloze": ("xstory_cloze", ""),
    "xwinograd": ("xwinograd", ""),
    "xquad": ("xquad", ""),
    "tydiqa": ("tydiqa_goldp", ""),
    "belebele": ("belebele", ""),
    "global_mmlu": ("global_mmlu", ""),
    "global_mmlu_full": ("global_mmlu_full", ""),
    "global_mmlu_lite": ("global_mmlu_lite", ""),
    "mgsm": ("mgsm", ""),
    "mgsm_direct": ("mgsm", "direct"),
    "mgsm_native_cot": ("mgsm", "native_cot"),
    "mgsm_en_cot": ("mgsm", "en_cot"),
    "arc": ("arc_challenge", ""),
    "hellaswag": ("hellaswag", ""),
    "m_mmlu": ("mmlu", ""),
    "mmlu_prox": ("mmlu_prox", ""),
    "mmlu_prox_lite": ("mmlu_prox_lite", ""),
    "lambada_openai_mt": ("lambada_openai_mt", ""),
    "lambada_multilingual": ("lambada_multilingual", ""),
    "afrixnli": ("afrixnli", ""),
    "afrimmlu_direct": ("afrimmlu", "direct"),
    "afrimgsm_direct": ("afrimgsm", "direct"),
    "include_base_44": ("include_base_44", ""),
    "wikiann_ner": ("wikiann_ner", ""),
    "udpos": ("udpos", ""),
    "tatoeba": ("tatoeba", ""),
    "bucc": ("bucc", ""),
}
#: Codes that a task spells in its own way.
_OWN_CODES = {("xwinograd", "jp"): "ja"}
#: What may stand behind the language: how the answers are put before the model.
_FORMS = re.compile(r"(?P<language>.+?)_(?P<form>prompt_\d+|cf|mcf|hybrid|native|mc[12]?|direct|cot)")
_PARTS = re.compile(r"[\s:/|]+")


@lru_cache(maxsize=65536)
def _split(name: str) -> tuple[str, str, str]:
    plain = _PARTS.sub("_", name.strip()).casefold().replace("-", "_")
    best = ""
    for prefix in _MULTILINGUAL:
        if len(prefix) > len(best) and plain.startswith(f"{prefix}_"):
            best = prefix
    if best:
        rest = _PARTS.sub("_", name.strip())[len(best) + 1 :]
        task, prompt = _MULTILINGUAL[best]
        form = _FORMS.fullmatch(rest)
        for text, how in ((rest, ""), (form["language"], form["form"]) if form else ("", "")):
            code = _OWN_CODES.get((task, text.casefold())) or language_of(text)
            if code:
                return task, code, "_".join(each for each in (prompt, how) if each)
    known = find_task(name)
    return (known.name if known else name.strip()), "", ""


def language_of(text: str) -> str:
    """Return the code of a language that is given by a code or by its English name, or an empty string.

    Examples
    --------
    >>> language_of("sw"), language_of("Swahili"), language_of("swh_Latn"), language_of("easy")
    ('sw', 'sw', 'swh_Latn', '')
    """
    return text.strip() if is_language(text) else language_called(text)


def language_names(names: Iterable[str]) -> dict[str, str]:
    """Return which of several names side by side are languages, with their codes.

    One name alone may be anything (``id``, ``no``), and so may codes of three letters, which nearly every word of that
    length is: they count where they are more than half of the names.

    Examples
    --------
    >>> language_names(["sw", "fr", "Average"]), language_names(["id", "score"]), language_names(["bbh", "gpqa"])
    ({'sw': 'sw', 'fr': 'fr'}, {}, {})
    """
    known = list(dict.fromkeys(names))
    found = {name: code for name in known if find_metric(name) is None and (code := language_of(name))}
    sure = {name: code for name, code in found.items() if len(name.strip()) != 3}
    if len(found) > max(1, len(known) / 2):
        return found
    return sure if len(sure) > 1 else {}


def name_task(name: str, rules: tuple[TaskRule, ...] = ()) -> tuple[str, str, str]:
    """Return the task that a name in a file means, its language (blank where it says none) and its prompt.

    What follows the name of a task is taken for a language only where the task is known to come in languages.

    Parameters
    ----------
    name : str
        A name as the file has it.
    rules : tuple of TaskRule
        What the caller says of names; they go first.

    Examples
    --------
    >>> name_task("xnli_sw"), name_task("mgsm_native_cot_bn"), name_task("arc_easy")
    (('xnli', 'sw', ''), ('mgsm', 'bn', 'native_cot'), ('arc_easy', '', ''))
    >>> from gainlaw.imports.wishes import parse_task_rule
    >>> name_task("nli (fr)", (parse_task_rule("nli ({language})=xnli"),))
    ('xnli', 'fr', '')
    """
    for rule in rules:
        found = pattern_of(rule.template).fullmatch(name.strip())
        if found is None:
            continue
        said = found.groupdict()
        language = rule.language.format(**said)
        if "{" in rule.language:
            language = language_of(language)
            if not language:
                continue
        return rule.task.format(**said), language, ""
    return _split(name)


def doubtful_language(task: str) -> tuple[str, str]:
    """Return the two parts of the name of a task that may end with a language, or empty strings.

    Examples
    --------
    >>> doubtful_language("arc_ca"), doubtful_language("arc_easy"), doubtful_language("copa_catalan")
    (('arc', 'ca'), ('', ''), ('copa', 'catalan'))
    """
    start, _, end = task.rpartition("_")
    if start and ((len(end) == 2 and is_language(end)) or language_called(end)) and find_task(task) is None:
        return start, end
    return "", ""


@lru_cache(maxsize=65536)
def family_of(model: str) -> str:
    """Return the series that a model belongs to, by its name: what stands before the size.

    Examples
    --------
    >>> family_of("Qwen/Qwen2.5-1.5B-Instruct"), family_of("bigscience/bloom-7b1"), family_of("xlmr-large")
    ('Qwen2.5', 'bloom', 'xlmr-large')
    """
    name = model.rpartition("/")[2]
    size = size_in_name(name)[1]
    before = name.partition(size)[0].rstrip("-_. ") if size else ""
    return before or name
