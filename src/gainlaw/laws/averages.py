r"""Averages over laws: one of them holds, and the gains say how probable each is.

With a prior probability for every law :math:`k`, the gain at any size has the posterior

.. math:: p(g(N) \mid y) = \sum_k w_k\, p(g(N) \mid y, k), \qquad w_k \propto p(y \mid k)

(Hoeting et al. 1999, doi 10.1214/ss/1009212519). By stacking the weights are those whose mixture predicts left-out
checkpoints best (Yao et al. 2018, doi 10.1214/17-BA1091).

An average enters the hierarchical model as a law whose first shape parameter says which of its members holds. Gains,
slopes, crossings and limits have a meaning under every member; the coefficient of the shape has not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gainlaw.errors import InputError, Problem
from gainlaw.laws.record import Law
from gainlaw.laws.shape import Definition, Shape, ShapeParameter, Weighing

__all__ = ["average_of", "narrowed"]


def average_of(laws: Sequence[Law], *, name: str = "average", weighing: Weighing = "evidence") -> Law:
    """Return the average over laws of the gain, as a law that `gainlaw.fit` takes.

    Parameters
    ----------
    laws : sequence of Law
        Two or more laws with a shape, one of them with a slope; each has the same probability a priori.
    name : str
        What it is called.
    weighing : {"evidence", "stacking"}
        Whether the laws are weighed by the evidence of all gains, or by how they predict checkpoints left out.

    Raises
    ------
    InputError
        For fewer laws than two, two of one name, laws without a shape or of scores, and parameters of one name that
        differ.

    Examples
    --------
    >>> from gainlaw.laws import law
    >>> [each.name for each in average_of([law("constant"), law("logistic")]).form.parameters]
    ['law', 'midpoint', 'steepness']
    """
    names = [each.name for each in laws]
    problems = [
        Problem(f"{each} stands twice among the laws") for each in sorted(set(names)) if names.count(each) > 1
    ]
    for each in laws:
        if each.shape is None or each.shape.members:
            problems.append(Problem(f"{each.name} is no single law of the hierarchical model"))
        elif each.shape.scores:
            hint = "its likelihood is of scores, not of gains: compare it with the others (gainlaw.compare)"
            problems.append(Problem(f"{each.name} cannot be averaged with laws of the gain", hint=hint))
    if len(laws) < 2 or not any(each.shape is not None and each.shape.has_slope for each in laws):
        problems.append(Problem("an average takes two laws or more, one of them with a slope"))
    if problems:
        raise InputError(problems, source=name)
    shape = _averaged(tuple((each.name, each.form) for each in laws), weighing)
    how = "their evidence" if weighing == "evidence" else "how they predict left-out checkpoints"
    words = f"one of {len(laws)} laws ({', '.join(each.title for each in laws)}), averaged by {how}"
    return Law(name, "", (), words, shape=shape)


def narrowed(law: Law, sizes: int) -> Law:
    """Return an average of the members that so many distinct sizes can carry; any other law as it is."""
    if law.shape is None or not law.shape.members:
        return law
    kept = tuple(each for each in law.shape.members if each[1].least_sizes <= max(sizes, 2))
    return replace(law, shape=_averaged(kept, law.shape.weighing))


def _averaged(members: tuple[tuple[str, Shape], ...], weighing: Weighing) -> Shape:
    own: dict[str, ShapeParameter] = {}
    for name, shape in members:
        for each in shape.parameters:
            if own.setdefault(each.name, each) != each:
                what = f"{each.name} of {name} is not that of another law: their priors or meanings differ"
                raise InputError(Problem(what, hint="rename one of them"))
    which = ShapeParameter("law", "j", f"choice({len(members)})", "1", "says which law holds")
    names = ", ".join(name.replace("_", " ") for name, _ in members)
    return Shape(
        value="",
        inverse="",
        limit="",
        formula=f"gain = a + beta * h(x), h the shape of one law j: {names}",
        latex=r"g(N) = a + \beta\,h_j(x),\quad j \in \{"
        + r",\ ".join(rf"\text{{{each}}}" for each in names.split(", "))
        + r"\}",
        parameters=(which, *own.values()),
        definitions=(
            Definition(
                "h",
                "h_j(x)",
                '<msub><mi>h</mi><mi>j</mi></msub><mo stretchy="false">(</mo><mi>x</mi><mo stretchy="false">)</mo>',
            ),
        ),
        members=members,
        weighing=weighing,
    )
