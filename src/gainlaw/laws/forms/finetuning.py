"""Loss after fine-tuning: fine-tuning data and size, or another factor, multiply (arXiv 2402.17193)."""

from gainlaw.laws.record import Derived, Law, Parameter

__all__ = ["LAW"]

LAW = Law(
    name="finetuning",
    formula="e + exp(a - alpha * log_n - beta * log_df)",
    latex=r"L(N, D_F) = \frac{A}{N^\alpha D_F^\beta} + E",
    parameters=(
        Parameter("e", "{gain}", "irreducible loss"),
        Parameter("a", "1", "log A", (-2.0, 10.0)),
        Parameter("alpha", "1", "exponent of size, or of the factor in its place", (0.0, 0.6)),
        Parameter("beta", "1", "exponent of fine-tuning data", (0.0, 0.6)),
    ),
    description=(
        "loss after fine-tuning: what size N (or pre-training data, or new parameters) and fine-tuning data leave over "
        "is a product (Zhang et al. 2024, arXiv 2402.17193)"
    ),
    variables=("log_n", "log_df"),
    derived=(Derived("A", "exp(a)", "coefficient"),),
)
