"""Score after fine-tuning, such as BLEU, against pre-training data: a power of a logarithm (arXiv 2402.04177)."""

from gainlaw.laws.record import Law, Parameter

__all__ = ["LAW"]

LAW = Law(
    name="downstream_score",
    formula="(a + alpha * log_dp) ** beta",
    latex=r"f(D_P) = \left(\log(A D_P^\alpha)\right)^\beta",
    parameters=(
        Parameter("a", "1", "log A", (-5.0, 5.0)),
        Parameter("alpha", "1", "factor of the logarithm of pre-training data", (0.05, 2.0), positive=True),
        Parameter("beta", "1", "power of the logarithm", (0.3, 4.0), positive=True),
    ),
    description=(
        "score after fine-tuning against pre-training data: a power of a logarithm, where both kinds of data are alike "
        "enough that the score only grows (Isik et al. 2024, arXiv 2402.04177)"
    ),
    variables=("log_dp",),
)
