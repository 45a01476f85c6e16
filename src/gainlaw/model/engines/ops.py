"""The compiled likelihoods as PyTensor operations, so that PyMC can put priors on their scales."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor.gradient import disconnected_type
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch.basic import numba_njit, register_funcify_default_op_cache_key

from gainlaw.model.binomial import kernels as binomial_kernels
from gainlaw.model.binomial.records import BinomialModel, Geometry, RowTables, SharedBaselines
from gainlaw.model.gaussian import kernels
from gainlaw.model.gaussian.records import GaussianData
from gainlaw.model.spec.design import Matrix

__all__ = ["BinomialJoint", "GaussianMarginal", "binomial_model", "gaussian_data"]


# The slices are numbers because numba cuts a tuple of arrays of several types at constants alone.
def gaussian_data(leaves):
    """Return a `GaussianData` from its arrays in a row; compiled and in Python."""
    return GaussianData(*leaves[:4], leaves[4][()], Matrix(*leaves[5:14], leaves[14][()]))


def binomial_model(leaves):
    """Return a `BinomialModel` from its arrays in a row; compiled and in Python."""
    return BinomialModel(
        leaves[0],
        leaves[1][()],
        Matrix(*leaves[2:11], leaves[11][()]),
        Geometry(*leaves[12:20]),
        RowTables(*leaves[20:28]),
        SharedBaselines(*leaves[28:]),
    )


class _LogDensity(Op):
    """A log density of one vector, with its gradient computed in the same pass.

    The first input is the vector, the rest are the arrays of the kernel's record, constants to differentiation. The
    outputs are the log density and its gradient.
    """

    __props__ = ()
    kernel: Any = None
    record: Any = None

    def make_node(self, vector: Any, *data: Any) -> Apply:
        """Build the node."""
        inputs = [pt.as_tensor_variable(vector), *(pt.as_tensor_variable(each) for each in data)]
        return Apply(self, inputs, [pt.dscalar(), pt.dvector()])

    def perform(self, node: Apply, inputs: list[Any], outputs: list[Any]) -> None:
        """Evaluate in Python (the compiled path is used in sampling)."""
        value, gradient = type(self).kernel(inputs[0], type(self).record(tuple(inputs[1:])))
        outputs[0][0] = np.asarray(value)
        outputs[1][0] = gradient

    def pullback(self, inputs: list[Any], outputs: list[Any], cotangents: list[Any]) -> list[Any]:
        """Return the gradient in the vector."""
        rest = [disconnected_type() for _ in inputs[1:]]
        return [cotangents[0] * outputs[1], *rest]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Only the vector is connected."""
        return [[True, True], *([False, False] for _ in node.inputs[1:])]


class GaussianMarginal(_LogDensity):
    """Log marginal likelihood of the Gaussian model, see `kernels.gaussian_marginal`."""

    kernel = staticmethod(kernels.gaussian_marginal)
    record = staticmethod(gaussian_data)


class BinomialJoint(_LogDensity):
    """Log joint density of the binomial model, see `binomial_kernels.binomial_joint`."""

    kernel = staticmethod(binomial_kernels.binomial_joint)
    record = staticmethod(binomial_model)


@register_funcify_default_op_cache_key(GaussianMarginal)
@register_funcify_default_op_cache_key(BinomialJoint)
def _compiled(op: _LogDensity, node: Apply, **kwargs: Any) -> Any:
    kernel, record = type(op).kernel, numba_njit(type(op).record)

    @numba_njit
    def log_density(vector, *leaves):
        total, gradient = kernel(vector, record(leaves))
        return np.asarray(total), gradient

    return log_density
