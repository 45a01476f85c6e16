"""English prompts for the tasks that have some, and prompts that fit any task of their kind."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from gainlaw.errors import InputError, Problem
from gainlaw.training.prompting.templates import Template, read_template, template_faults

__all__ = ["builtin_templates", "find_templates"]

Wording = tuple[str, str, Mapping[str, str]]

# The answers of a classification task stand under the name of their class, in any order.
_INFERENCE: tuple[Wording, ...] = (
    (
        "follows",
        "{first}\nQuestion: does it follow that {second}\nAnswer yes, no or maybe:",
        {"entailment": "yes", "neutral": "maybe", "contradiction": "no"},
    ),
    (
        "true_false",
        "Read this: {first}\nNow take the claim: {second}\nGiven what you read, the claim is"
        " true, false or undecided? It is",
        {"entailment": "true", "neutral": "undecided", "contradiction": "false"},
    ),
    (
        "verdict",
        "Premise: {first}\nHypothesis: {second}\nVerdict (entailment, neutral, contradiction):",
        {"entailment": "entailment", "neutral": "neutral", "contradiction": "contradiction"},
    ),
    (
        "certainty",
        'Suppose we know that "{first}" How sure can we be that "{second}" Choose from: certain, possible,'
        " impossible.\nChoice:",
        {"entailment": "certain", "neutral": "possible", "contradiction": "impossible"},
    ),
    (
        "infix",
        "{first} Is that right?",
        {"entailment": "Yes, {second}", "neutral": "Besides, {second}", "contradiction": "No, {second}"},
    ),
    (
        "support",
        "Statement A: {first}\nStatement B: {second}\nStatement A supports, rejects or leaves open statement"
        " B. In this case it",
        {"entailment": "supports B", "neutral": "leaves B open", "contradiction": "rejects B"},
    ),
)
_PARAPHRASE: tuple[Wording, ...] = (
    (
        "same_meaning",
        "Sentence 1: {first}\nSentence 2: {second}\nDo both sentences mean the same? Answer yes or no:",
        {"different": "no", "paraphrase": "yes"},
    ),
    (
        "same_different",
        '"{first}" and "{second}" are, in what they say,',
        {"different": "different", "paraphrase": "the same"},
    ),
    (
        "rewrite",
        "A writer had this line: {first}\nAn editor proposes: {second}\nDoes the new line keep the meaning?",
        {"different": "No", "paraphrase": "Yes"},
    ),
    (
        "infix",
        "{first} Right?",
        {"different": "No, {second}", "paraphrase": "Yes, {second}"},
    ),
    (
        "true_false",
        "First: {first}\nSecond: {second}\nTrue or false: the second says what the first says.\nAnswer:",
        {"different": "false", "paraphrase": "true"},
    ),
)
# Two questions are not sentences to be rewritten.
_QUESTIONS: tuple[Wording, ...] = (
    (
        "same_answer",
        "Question 1: {first}\nQuestion 2: {second}\nWould one answer serve both questions? Yes or no:",
        {"different": "no", "paraphrase": "yes"},
    ),
    (
        "duplicate",
        "On a forum somebody asked: {first}\nLater somebody asked: {second}\nIs the later question a"
        " duplicate?",
        {"different": "No", "paraphrase": "Yes"},
    ),
    (
        "same_different",
        '"{first}" and "{second}" ask for things that are',
        {"different": "different", "paraphrase": "the same"},
    ),
    (
        "merge",
        "Two threads, one titled: {first}\nthe other titled: {second}\nShould they be merged or kept apart?"
        " They should be",
        {"different": "kept apart", "paraphrase": "merged"},
    ),
    (
        "true_false",
        "First: {first}\nSecond: {second}\nTrue or false: both ask the same.\nAnswer:",
        {"different": "false", "paraphrase": "true"},
    ),
)
_CHOICES: Mapping[str, tuple[Template, ...]] = MappingProxyType(
    {
        "causes": (
            Template("plain", "{context}"),
            Template("answer", "{context}\nAnswer:"),
            Template("choose", "{context}\nChoose what is more likely:\n{options}\nThe more likely one:"),
            Template("letters", "{context}\n{lettered}\nThe right letter is", ("A", "B")),
            Template("think", "Think of everyday life. {context}\nMost people would say:"),
            Template("exercise", "Exercise in cause and effect.\n{context}\nSolution:"),
        ),
        "social": (
            Template("plain", "{context}"),
            Template("answer", "{context}\nAnswer:"),
            Template("choose", "{context}\nPick the answer that fits people best:\n{options}\nPick:"),
            Template("letters", "{context}\n{lettered}\nThe right letter is", ("A", "B", "C")),
            Template("friend", "A friend tells you a story and asks about it. {context}\nYou reply:"),
            Template("common", "{context}\nCommon sense about people says:"),
        ),
        "endings": (
            Template("plain", "{context}"),
            Template("next", "{context}\nWhat comes next?"),
            Template("choose", "{context}\nWhich of these goes on from there?\n{options}\nThis one:"),
            Template("story", "How does this go on? {context}\nIt goes on like this:"),
            Template("then", "Read the beginning: {context}\nNow the ending:"),
            Template("complete", "Complete the text so that it makes sense.\n\n{context}"),
        ),
        "knowledge": (
            Template("plain", "{context}"),
            Template("question", "Question: {context}\nAnswer:"),
            Template("choose", "{context}\nThe possible answers:\n{options}\nThe best of them:"),
            Template("letters", "{context}\n{lettered}\nThe right letter is", ("A", "B", "C", "D", "E")),
            Template("quiz", "In a quiz on common sense, this was asked: {context}\nThe winner said:"),
            Template("short", "Answer in a word or two. {context}"),
        ),
        "reading": (
            Template("plain", "{context}"),
            Template("answer", "{context}\nAnswer:"),
            Template("choose", "{context}\nThe possible answers:\n{options}\nThe best of them:"),
            Template("letters", "{context}\n{lettered}\nThe right letter is", ("A", "B", "C", "D")),
            Template("between", "Read between the lines. {context}\nWhat the text suggests:"),
            Template("exam", "Reading test.\n{context}\nModel answer:"),
        ),
        "any": (
            Template("plain", "{context}"),
            Template("answer", "{context}\nAnswer:"),
            Template("choose", "{context}\nChoose one:\n{options}\nChoice:"),
            Template("best", "{context}\nThe best way to go on from the following:\n{options}\nBest:"),
            Template("most", "What fits best here? {context}"),
        ),
    }
)
_WORDINGS: Mapping[str, tuple[Wording, ...]] = MappingProxyType(
    {
        **dict.fromkeys(("xnli", "mnli", "anli", "anli_mnli", "sick"), _INFERENCE),
        "pawsx": _PARAPHRASE,
        "qqp": _QUESTIONS,
    }
)
_GROUPS: Mapping[str, str] = MappingProxyType(
    {
        "xcopa": "causes",
        "copa": "causes",
        "siqa": "social",
        "hellaswag": "endings",
        "xstory_cloze": "endings",
        "commonsense_qa": "knowledge",
        "cosmos_qa": "reading",
    }
)
_CLASS_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "entails": "entailment",
        "contradicts": "contradiction",
        "duplicate": "paraphrase",
        "equivalent": "paraphrase",
        "same": "paraphrase",
        "yes": "paraphrase",
        "not_paraphrase": "different",
        "not_duplicate": "different",
        "not_equivalent": "different",
        "non_paraphrase": "different",
        "no": "different",
    }
)


def builtin_templates(task: str, kind: str, classes: Sequence[str] = ()) -> tuple[Template, ...]:
    """Return the English prompts of a task.

    Parameters
    ----------
    task : str
        Its name, such as ``xnli``.
    kind : {"classification", "choice"}
        A choice task that has no prompts of its own gets the general ones.
    classes : sequence of str
        The names of its classes, in order, for a classification task.

    Returns
    -------
    tuple of Template
        Five or more; empty for a classification task that has none, or of which a class is unknown here.

    Examples
    --------
    >>> xnli = builtin_templates("xnli", "classification", ("entailment", "neutral", "contradiction"))
    >>> [template.name for template in xnli]
    ['follows', 'true_false', 'verdict', 'certainty', 'infix', 'support']
    >>> xnli[0].answers
    ('yes', 'maybe', 'no')
    """
    if kind == "choice":
        return _CHOICES[_GROUPS.get(task, "any")]
    if kind != "classification" or task not in _WORDINGS:
        return ()
    names = [name.strip().lower().replace(" ", "_").replace("-", "_") for name in classes]
    names = [_CLASS_NAMES.get(name, name) for name in names]
    wordings = _WORDINGS[task]
    if sorted(names) != sorted(wordings[0][2]):
        return ()
    return tuple(
        Template(name, text, tuple(map(answers.__getitem__, names))) for name, text, answers in wordings
    )


def find_templates(
    prompts: Sequence[object] | None,
    *,
    task: str,
    kind: str,
    classes: Sequence[str] = (),
    n_options: int | None = None,
    source: str | None = None,
) -> tuple[Template, ...]:
    """Return the prompts of a target, as an experiment file names or states them.

    Parameters
    ----------
    prompts : sequence of (str, Template or other), or None
        A text names a prompt that comes with gainlaw; anything else states one, by the keys or attributes
        ``name``, ``text``, ``answers`` and ``delimiter``. None takes all that come with gainlaw.
    task, kind, classes, n_options
        The task: its name, ``classification`` or ``choice``, the names of its classes in order, and the
        number of its options where it is fixed.
    source : str, optional
        The file at fault, for messages.

    Returns
    -------
    tuple of Template
        In the order given.

    Raises
    ------
    InputError
        With every fault of every prompt: unknown names or fields, answers that do not match the classes,
        names given twice, a task that has no prompts.
    """
    known = {template.name: template for template in builtin_templates(task, kind, classes)}
    if prompts is None:
        if not known:
            hint = "state prompts with text and answers"
            raise InputError(Problem(f"no prompts come with the task {task}", "prompts", hint=hint), source)
        return tuple(
            t for t in known.values() if not template_faults(t, kind, classes=classes, n_options=n_options)
        )
    found: list[Template] = []
    faults: list[Problem] = []
    if not prompts:
        faults.append(Problem("no prompt is given", "prompts", hint="leave prompts out to take all"))
    for prompt in prompts:
        if isinstance(prompt, str):
            if prompt in known:
                found.append(known[prompt])
                continue
            close = difflib.get_close_matches(prompt, known, 1)
            guess = f"did you mean {close[0]}? " if close else ""
            what = f"the task {task} has no prompt of this name"
            faults.append(Problem(what, prompt, hint=f"{guess}{_names(known)}"))
            continue
        found.append(prompt if isinstance(prompt, Template) else read_template(prompt))
    for template in found:
        faults += template_faults(template, kind, classes=classes, n_options=n_options)
    names = [template.name for template in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    faults += [Problem("two prompts have this name", name, hint="rename one of them") for name in twice]
    if faults:
        raise InputError(faults, source)
    return tuple(found)


def _names(known: Mapping[str, Template]) -> str:
    if not known:
        return "no prompts come with it: state one with text and answers"
    return f"those that come with it: {', '.join(known)}"
