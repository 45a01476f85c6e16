"""Accuracy against loss: a logistic curve that falls from a ceiling to chance as the loss grows (arXiv 2412.04403)."""

from gainlaw.laws.record import Law, Parameter
from gainlaw.laws.variables import Quantity

__all__ = ["LAW"]

_CALLED = (
    "loss", "task_loss", "val_loss", "validation_loss", "eval_loss", "test_loss", "bpb", "bits_per_byte", "nll",
    "negative_log_likelihood", "cross_entropy",
)  # fmt: skip

LAW = Law(
    name="loss_accuracy",
    formula="c + a * logistic(-k * (l - m))",
    latex=r"\mathrm{accuracy}(L) = c + \frac{a}{1 + e^{k(L - m)}}",
    parameters=(
        Parameter("c", "{gain}", "accuracy where the loss is large: chance"),
        Parameter("a", "{gain}", "ceiling less chance"),
        Parameter("m", "loss", "loss of the midpoint", (-1.5, 1.5), along="l"),
        Parameter("k", "per unit of loss", "steepness", (0.3, 30.0), positive=True),
    ),
    description=(
        "accuracy on a task against a loss, best of the task itself: a logistic curve from chance to a ceiling "
        "(Bhagia et al. 2024, arXiv 2412.04403)"
    ),
    variables=("l",),
    quantities=(Quantity("l", "loss", _CALLED),),
)
