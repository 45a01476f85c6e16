"""Log loss of size and tokens: whichever is scarcer sets a power law (arXiv 2001.08361)."""

from gainlaw.laws.record import Derived, Law, Parameter

__all__ = ["LAW"]

LAW = Law(
    name="kaplan",
    formula="beta * logsumexp(alpha / beta * (n - log_n), d - log_d)",
    latex=r"\log L = \beta \log\left(\left(\frac{N_c}{N}\right)^{\alpha / \beta} + \frac{D_c}{D}\right)",
    parameters=(
        Parameter("n", "1", "log N_c", (20.0, 40.0)),
        Parameter("d", "1", "log D_c", (20.0, 40.0)),
        Parameter("alpha", "1", "exponent of size", (0.03, 0.3), positive=True),
        Parameter("beta", "1", "exponent of tokens", (0.03, 0.3), positive=True),
    ),
    description=(
        "log loss of size N and tokens D without anything irreducible: a power law of the one that is scarcer "
        "(Kaplan et al. 2020, arXiv 2001.08361, equation 1.5)"
    ),
    variables=("log_n", "log_d"),
    response="log",
    derived=(
        Derived("N_c", "exp(n)", "size at which unlimited tokens leave a loss of 1"),
        Derived("D_c", "exp(d)", "tokens at which unlimited size leaves a loss of 1"),
    ),
)
