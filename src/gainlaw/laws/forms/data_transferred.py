"""Effective data transferred: the data from scratch that pre-training is worth, a power of data and size."""

from gainlaw.laws.record import Derived, Law, Parameter

__all__ = ["LAW"]

LAW = Law(
    name="data_transferred",
    formula="k + alpha * log_df + beta * log_n",
    latex=r"\log D_T = \log K + \alpha \log D_F + \beta \log N",
    parameters=(
        Parameter("k", "1", "log K"),
        Parameter("alpha", "1", "exponent of fine-tuning data: how far what is transferred is from it"),
        Parameter("beta", "1", "exponent of size: how general the model is"),
    ),
    description=(
        "log of the data that a model from scratch would have needed beyond the fine-tuning data, against "
        "fine-tuning data and size (Hernandez et al. 2021, arXiv 2102.01293)"
    ),
    variables=("log_df", "log_n"),
    response="log",
    derived=(Derived("K", "exp(k)", "coefficient"),),
)
