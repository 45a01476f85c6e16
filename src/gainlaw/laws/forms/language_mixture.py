"""Loss in one language of a mixture: its share in training makes for a share of the parameters (arXiv 2302.09650)."""

from gainlaw.laws.record import Derived, Law, Parameter
from gainlaw.laws.variables import Quantity

__all__ = ["LAW"]

# The bound keeps the power of what is left over from being taken at 0, where a model knows one language alone.
_SHARE = "p + c * p ** r * max(1 - p, 1e-300) ** s"

LAW = Law(
    name="language_mixture",
    formula=f"e + exp(b - alpha * (log_n + log({_SHARE})))",
    latex=r"L(N, p) = \beta \left(f(p) N\right)^{-\alpha} + L_\infty, \quad f(p) = p + c\,p^r (1 - p)^s",
    parameters=(
        Parameter("e", "{gain}", "irreducible loss"),
        Parameter("b", "1", "log of the coefficient", (-2.0, 10.0)),
        Parameter("alpha", "1", "exponent of size, the same in every mixture", (0.02, 0.8), positive=True),
        Parameter("c", "1", "what the other languages lend", (0.05, 2.0), positive=True),
        Parameter("r", "1", "power of the share", (0.2, 2.0), positive=True),
        Parameter("s", "1", "power of what the share leaves over", (0.2, 2.0), positive=True),
    ),
    description=(
        "loss in one language against size and its share p of the training mixture: f(p) is the share of parameters "
        "that works for it (Fernandes et al. 2023, arXiv 2302.09650)"
    ),
    variables=("log_n", "p"),
    quantities=(
        Quantity("p", "share of the language in training", ("share", "proportion", "sampling_rate")),
    ),
    derived=(
        Derived("f_half", "0.5 + c * 0.5 ** (r + s)", "share of the parameters at half of the mixture"),
        Derived(
            "f_tenth", "0.1 + c * 0.1 ** r * 0.9 ** s", "share of the parameters at a tenth of the mixture"
        ),
    ),
)
