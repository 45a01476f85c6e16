"""A power of size that is flat for sizes well below a shift."""

from gainlaw.laws.record import Law, Parameter

__all__ = ["LAW"]

LAW = Law(
    name="shifted_power",
    formula="a * (power10(x) + k) ** (-r)",
    latex=r"g(N) = a (N/10^9 + k)^{-r}",
    parameters=(
        Parameter("a", "{gain}", "coefficient: gain where size and shift add up to 1B"),
        Parameter("k", "billion parameters", "shift", (0.01, 30.0), positive=True, along="x"),
        Parameter("r", "1", "exponent", (-1.0, 1.0)),
    ),
    description="a power of size that is flat for sizes well below a shift",
)
