"""The models that an average over laws is made of."""

from __future__ import annotations

from dataclasses import replace

from gainlaw.model.spec.problem import ModelProblem

__all__ = ["member_problems"]


def member_problems(problem: ModelProblem) -> tuple[ModelProblem, ...]:
    """Return the model with each law of an average in turn: the same terms and priors, the shape that of the law.

    The constant law has slopes too, which its shape multiplies by 0: they stay at their prior, and its likelihood and
    evidence are those of the model without them.

    Parameters
    ----------
    problem : ModelProblem
        The model of an average.
    """
    found = []
    for law in problem.spec.law.members:
        own = {each.name for each in law.parameters}
        other = {each.name for each in problem.spec.law.parameters} - own
        spec = replace(
            problem.spec,
            law=law,
            priors={name: each for name, each in problem.spec.priors.items() if name not in other},
        )
        kept = [k for k, name in enumerate(problem.hyper) if name not in other]
        base = problem.base.copy()
        if not law.parameters:
            base[3 * problem.n_blocks + 1 :] = law.shape(problem.x)
        found.append(
            replace(
                problem,
                spec=spec,
                hyper=tuple(problem.hyper[k] for k in kept),
                position=problem.position[kept],
                base=base,
            )
        )
    return tuple(found)
