"""Log loss of size and tokens: what each leaves over adds to what is irreducible (arXiv 2203.15556)."""

from gainlaw.laws.record import Derived, Law, Parameter

__all__ = ["LAW"]

LAW = Law(
    name="chinchilla",
    formula="logsumexp(a - alpha * log_n, b - beta * log_d, e)",
    latex=r"\log L = \log\left(\frac{A}{N^\alpha} + \frac{B}{D^\beta} + E\right)",
    parameters=(
        Parameter("a", "1", "log A", (0.0, 25.0)),
        Parameter("b", "1", "log B", (0.0, 25.0)),
        Parameter("e", "1", "log E", (-1.0, 1.0)),
        Parameter("alpha", "1", "exponent of size", (0.0, 2.0)),
        Parameter("beta", "1", "exponent of tokens", (0.0, 2.0)),
    ),
    description=(
        "log loss of size N and tokens D: what each leaves over adds to what is irreducible "
        "(Hoffmann et al. 2022, arXiv 2203.15556)"
    ),
    variables=("log_n", "log_d"),
    response="log",
    derived=(
        Derived("A", "exp(a)", "coefficient of size"),
        Derived("B", "exp(b)", "coefficient of tokens"),
        Derived("E", "exp(e)", "irreducible loss"),
    ),
)
