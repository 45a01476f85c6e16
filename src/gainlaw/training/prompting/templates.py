"""What a prompt is: a text with the fields of an item in braces, and the answers to choose from."""

from __future__ import annotations

import difflib
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gainlaw.errors import InputError, Problem
from gainlaw.training.items.items import ChoiceItem, ClassItem, Item

__all__ = ["FIELDS", "Request", "Template", "read_template", "template_faults"]

#: The fields of a template's text, by kind of task; the answers may use those of `ANSWER_FIELDS`.
FIELDS: Mapping[str, tuple[str, ...]] = {
    "classification": ("first", "second"),
    "choice": ("context", "options", "lettered"),
}
ANSWER_FIELDS: Mapping[str, tuple[str, ...]] = {
    "classification": ("first", "second"),
    "choice": ("context", "option"),
}
_LETTERS = string.ascii_uppercase


@dataclass(frozen=True, slots=True)
class Request:
    """A prompt and the continuations to rank.

    Attributes
    ----------
    prompt : str
        What the model reads.
    continuations : tuple of str
        The answers, without the delimiter; lengths in characters and bytes are those of these texts.
    delimiter : str
        What stands between prompt and continuation.
    """

    prompt: str
    continuations: tuple[str, ...]
    delimiter: str = " "


@dataclass(frozen=True, slots=True)
class Template:
    r"""A prompt with gaps.

    Attributes
    ----------
    name : str
        Its name in the ``prompt`` column.
    text : str
        The prompt. ``{first}`` and ``{second}`` are the texts of a classification item; ``{context}`` is that
        of a choice item, ``{options}`` its options as a list of lines that start with a dash and
        ``{lettered}`` the same with capital letters. Braces that are meant are doubled.
    answers : tuple of str
        One answer a class, in the order of the classes; they may use ``{first}`` and ``{second}`` too, so
        that the text goes on after the answer. For a choice task none: the options themselves; one: a
        pattern with ``{option}``; several: the names of the options in their order, such as letters.
    delimiter : str
        What stands between the prompt and the answer.

    Examples
    --------
    >>> item = ClassItem("1", "It rains.", "The street is wet.", 0)
    >>> Template("so", "{first} So {second} True?", ("yes", "no")).render(item)
    Request(prompt='It rains. So The street is wet. True?', continuations=('yes', 'no'), delimiter=' ')
    >>> choice = ChoiceItem("1", "The glass fell.", ("It broke.", "It flew."), 0)
    >>> print(Template("letters", "{context}\n{lettered}\nAnswer:", ("A", "B")).render(choice).prompt)
    The glass fell.
    A. It broke.
    B. It flew.
    Answer:
    """

    name: str
    text: str
    answers: tuple[str, ...] = ()
    delimiter: str = " "

    def render(self, item: Item) -> Request:
        """Fill the gaps with an item, whose label is not used.

        Raises
        ------
        InputError
            If the item is neither of classification nor of choice, or has more options than there are answers.
        """
        if isinstance(item, ClassItem):
            fields = {"first": item.first, "second": item.second}
            answers = tuple(answer.format(**fields) for answer in self.answers)
            return Request(self.text.format(**fields), answers, self.delimiter)
        if not isinstance(item, ChoiceItem):
            raise InputError(
                Problem(f"prompts cannot ask for {type(item).__name__}", hint="use classification or choice")
            )
        lettered = "\n".join(f"{_letter(k)}. {option}" for k, option in enumerate(item.options))
        dashes = "\n".join(f"- {option}" for option in item.options)
        prompt = self.text.format(context=item.context, options=dashes, lettered=lettered)
        if len(self.answers) <= 1:
            pattern = self.answers[0] if self.answers else "{option}"
            answers = tuple(pattern.format(option=option, context=item.context) for option in item.options)
        elif len(self.answers) < len(item.options):
            raise InputError(
                Problem(f"{len(self.answers)} answers for {len(item.options)} options of item {item.id}"),
                source=f"prompt {self.name}",
            )
        else:
            answers = self.answers[: len(item.options)]
        return Request(prompt, answers, self.delimiter)


def _letter(position: int) -> str:
    return _LETTERS[position] if position < len(_LETTERS) else str(position + 1)


def template_faults(
    template: Template, kind: str, *, classes: Sequence[str] = (), n_options: int | None = None
) -> list[Problem]:
    """Return what is wrong with a template for a task of a kind, with these classes or so many options.

    Each fault names the prompt and what to do.
    """
    if kind not in FIELDS:
        hint = f"prompted tasks are of kind {' or '.join(FIELDS)}"
        return [Problem(f"prompts cannot ask for a {kind} task", template.name, hint=hint)]
    faults = _field_faults(template.text, "text", FIELDS[kind], template.name)
    for number, answer in enumerate(template.answers):
        where = f"answers[{number}]"
        faults += _field_faults(answer, where, ANSWER_FIELDS[kind], template.name)
        if not answer.strip():
            faults.append(Problem(f"{where} is empty", template.name, hint="give the text to be scored"))
    if not template.text.strip():
        faults.append(Problem("text is empty", template.name, hint=_allowed(FIELDS[kind])))
    many = len(template.answers)
    if kind == "classification":
        if many != len(classes):
            faults.append(
                Problem(
                    f"{many} answers for {len(classes)} classes",
                    template.name,
                    hint=f"give one answer a class, in this order: {', '.join(classes)}",
                )
            )
    elif many == 1 and "{option}" not in template.answers[0]:
        hint = "leave answers out to score the options, or give one a position"
        faults.append(Problem("the one answer does not use {option}", template.name, hint=hint))
    elif many > 1 and n_options is not None and many != n_options:
        faults.append(
            Problem(f"{many} answers for {n_options} options", template.name, hint="give one an option")
        )
    if len(set(template.answers)) < many:
        faults.append(
            Problem("two answers are the same", template.name, hint="a rank needs answers that differ")
        )
    return faults


def read_template(raw: object) -> Template:
    """Return the template that an experiment file states, not yet checked against a task.

    `raw` has ``name``, ``text`` and optionally ``answers`` and ``delimiter`` as keys or attributes.
    """
    table = raw if isinstance(raw, Mapping) else {k: getattr(raw, k, None) for k in Template.__slots__}
    delimiter = table.get("delimiter")
    return Template(
        str(table["name"]),
        str(table["text"]),
        tuple(table.get("answers") or ()),
        " " if delimiter is None else str(delimiter),
    )


def _field_faults(text: str, where: str, allowed: Sequence[str], name: str) -> list[Problem]:
    try:
        pieces = list(string.Formatter().parse(text))
    except ValueError as error:
        hint = "a brace that is meant is written twice"
        return [Problem(f"{where} has a brace out of place ({error})", name, hint=hint)]
    faults = []
    for _, field, form, conversion in pieces:
        if field is None:
            continue
        if field not in allowed:
            close = difflib.get_close_matches(field, allowed, 1)
            guess = f"did you mean {{{close[0]}}}? " if close else ""
            what = f"{where} has the unknown field {{{field}}}"
            faults.append(Problem(what, name, hint=guess + _allowed(allowed)))
        elif form or conversion:
            what = f"{where} formats the field {{{field}}}"
            faults.append(Problem(what, name, hint=f"write {{{field}}} alone"))
    return faults


def _allowed(fields: Sequence[str]) -> str:
    return "the fields are " + ", ".join(f"{{{field}}}" for field in fields)
