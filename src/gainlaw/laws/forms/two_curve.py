"""Scores of baseline and intermediate models go from one floor to one ceiling; the gain is their difference."""

from gainlaw.laws.record import Law, Parameter
from gainlaw.laws.shape import Shape

__all__ = ["LAW"]

LAW = Law(
    name="two_curve",
    formula="c + a * logistic((k + z * q) * (x - m + z * s))",
    latex=r"y(N, z) = c + \frac{a}{1 + e^{-(k + zq)(x - m + zs)}}",
    parameters=(
        Parameter("c", "{gain}", "floor"),
        Parameter("a", "{gain}", "ceiling less floor"),
        Parameter("m", "decades from 1B", "midpoint of the baseline", (-1.5, 1.5), along="x"),
        Parameter("k", "per decade", "steepness of the baseline", (0.3, 6.0), positive=True),
        Parameter("q", "per decade", "steepness of the intermediate model less the baseline's", (-0.5, 0.5)),
        Parameter("s", "decades", "how much earlier the intermediate model's midpoint is", (-0.5, 1.0)),
    ),
    description=(
        "baseline (z = 0) and intermediate scores (z = 1) each go from a common floor to a common ceiling; the gain "
        "is their difference"
    ),
    variables=("x", "z"),
    shape=Shape(
        value="x - centre",
        inverse="h + centre",
        limit="",
        formula="gain = a + beta * x on log-odds, beside baselines b + b1 * x,  x = log10(params / {centre})",
        latex=r"g(N) = a + \beta\,x \text{ beside baselines } b + b_1\,x,\quad x = \log_{10}(N/N_c)",
        scores=True,
    ),
)
