"""English prompts for the tasks that have some, and prompts that fit any choice.

The answers of a classification stand in the order of its classes.
"""

from __future__ import annotations

from gainlaw.training.prompting.templates import Template

__all__ = [
    "ANY",
    "CAUSES",
    "ENDINGS",
    "INFERENCE",
    "KNOWLEDGE",
    "PARAPHRASE",
    "QUESTIONS",
    "READING",
    "SOCIAL",
]

INFERENCE = (
    Template(
        "follows",
        "{first}\nQuestion: does it follow that {second}\nAnswer yes, no or maybe:",
        ("yes", "maybe", "no"),
    ),
    Template(
        "true_false",
        "Read this: {first}\nNow take the claim: {second}\nGiven what you read, the claim is true, false"
        " or undecided? It is",
        ("true", "undecided", "false"),
    ),
    Template(
        "verdict",
        "Premise: {first}\nHypothesis: {second}\nVerdict (entailment, neutral, contradiction):",
        ("entailment", "neutral", "contradiction"),
    ),
    Template(
        "certainty",
        'Suppose we know that "{first}" How sure can we be that "{second}" Choose from: certain,'
        " possible, impossible.\nChoice:",
        ("certain", "possible", "impossible"),
    ),
    Template("infix", "{first} Is that right?", ("Yes, {second}", "Besides, {second}", "No, {second}")),
    Template(
        "support",
        "Statement A: {first}\nStatement B: {second}\nStatement A supports, rejects or leaves open"
        " statement B. In this case it",
        ("supports B", "leaves B open", "rejects B"),
    ),
)
"""Whether a text follows: entailment, neutral, contradiction."""

PARAPHRASE = (
    Template(
        "same_meaning",
        "Sentence 1: {first}\nSentence 2: {second}\nDo both sentences mean the same? Answer yes or no:",
        ("no", "yes"),
    ),
    Template("same_different", '"{first}" and "{second}" are, in what they say,', ("different", "the same")),
    Template(
        "rewrite",
        "A writer had this line: {first}\nAn editor proposes: {second}\nDoes the new line keep the meaning?",
        ("No", "Yes"),
    ),
    Template("infix", "{first} Right?", ("No, {second}", "Yes, {second}")),
    Template(
        "true_false",
        "First: {first}\nSecond: {second}\nTrue or false: the second says what the first says.\nAnswer:",
        ("false", "true"),
    ),
)
"""Whether two sentences say the same: different, same."""

QUESTIONS = (
    Template(
        "same_answer",
        "Question 1: {first}\nQuestion 2: {second}\nWould one answer serve both questions? Yes or no:",
        ("no", "yes"),
    ),
    Template(
        "duplicate",
        "On a forum somebody asked: {first}\nLater somebody asked: {second}\nIs the later question a"
        " duplicate?",
        ("No", "Yes"),
    ),
    Template("same_different", '"{first}" and "{second}" ask for things that are', ("different", "the same")),
    Template(
        "merge",
        "Two threads, one titled: {first}\nthe other titled: {second}\nShould they be merged or kept"
        " apart? They should be",
        ("kept apart", "merged"),
    ),
    Template(
        "true_false",
        "First: {first}\nSecond: {second}\nTrue or false: both ask the same.\nAnswer:",
        ("false", "true"),
    ),
)
"""Whether two questions, which are no sentences to be rewritten, ask the same: different, same."""

CAUSES = (
    Template("plain", "{context}"),
    Template("answer", "{context}\nAnswer:"),
    Template("choose", "{context}\nChoose what is more likely:\n{options}\nThe more likely one:"),
    Template("letters", "{context}\n{lettered}\nThe right letter is", ("A", "B")),
    Template("think", "Think of everyday life. {context}\nMost people would say:"),
    Template("exercise", "Exercise in cause and effect.\n{context}\nSolution:"),
)
"""Which of two is the cause, or the effect."""

SOCIAL = (
    Template("plain", "{context}"),
    Template("answer", "{context}\nAnswer:"),
    Template("choose", "{context}\nPick the answer that fits people best:\n{options}\nPick:"),
    Template("letters", "{context}\n{lettered}\nThe right letter is", ("A", "B", "C")),
    Template("friend", "A friend tells you a story and asks about it. {context}\nYou reply:"),
    Template("common", "{context}\nCommon sense about people says:"),
)
"""What people do and feel: three options."""

ENDINGS = (
    Template("plain", "{context}"),
    Template("next", "{context}\nWhat comes next?"),
    Template("choose", "{context}\nWhich of these goes on from there?\n{options}\nThis one:"),
    Template("story", "How does this go on? {context}\nIt goes on like this:"),
    Template("then", "Read the beginning: {context}\nNow the ending:"),
    Template("complete", "Complete the text so that it makes sense.\n\n{context}"),
)
"""How a text goes on."""

KNOWLEDGE = (
    Template("plain", "{context}"),
    Template("question", "Question: {context}\nAnswer:"),
    Template("choose", "{context}\nThe possible answers:\n{options}\nThe best of them:"),
    Template("letters", "{context}\n{lettered}\nThe right letter is", ("A", "B", "C", "D", "E")),
    Template("quiz", "In a quiz on common sense, this was asked: {context}\nThe winner said:"),
    Template("short", "Answer in a word or two. {context}"),
)
"""Common sense: five options at most."""

READING = (
    Template("plain", "{context}"),
    Template("answer", "{context}\nAnswer:"),
    Template("choose", "{context}\nThe possible answers:\n{options}\nThe best of them:"),
    Template("letters", "{context}\n{lettered}\nThe right letter is", ("A", "B", "C", "D")),
    Template("between", "Read between the lines. {context}\nWhat the text suggests:"),
    Template("exam", "Reading test.\n{context}\nModel answer:"),
)
"""What a text suggests: four options."""

ANY = (
    Template("plain", "{context}"),
    Template("answer", "{context}\nAnswer:"),
    Template("choose", "{context}\nChoose one:\n{options}\nChoice:"),
    Template("best", "{context}\nThe best way to go on from the following:\n{options}\nBest:"),
    Template("most", "What fits best here? {context}"),
)
"""Any choice."""
