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
from gainlaw.model.gaussian import kernels

__all__ = ["BinomialJoint", "GaussianMarginal"]


class _LogDensity(Op):
    """A log density of one vector, with its gradient computed in the same pass.

    The first input is the vector, the rest are constants to differentiation. The outputs are the log density and
    its gradient.
    """

    __props__ = ()
    kernel: Any = None

    def make_node(self, vector: Any, *data: Any) -> Apply:
        """Build the node."""
        inputs = [pt.as_tensor_variable(vector), *(pt.as_tensor_variable(each) for each in data)]
        return Apply(self, inputs, [pt.dscalar(), pt.dvector()])

    def perform(self, node: Apply, inputs: list[Any], outputs: list[Any]) -> None:
        """Evaluate in Python (the compiled path is used in sampling)."""
        value, gradient = type(self).kernel(*inputs)
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


class BinomialJoint(_LogDensity):
    """Log joint density of the binomial model, see `binomial_kernels.binomial_joint`."""

    kernel = staticmethod(binomial_kernels.binomial_joint)


@register_funcify_default_op_cache_key(GaussianMarginal)
def _gaussian(op: GaussianMarginal, node: Apply, **kwargs: Any) -> Any:
    @numba_njit
    def gaussian_marginal(
        theta, y, var, unit, slope, block, group, value, starts, slopes, place, cluster, bounds, p
    ):
        total, gradient = kernels.gaussian_marginal(
            theta, y, var, unit, slope[()], block, group, value, starts, slopes, place, cluster, bounds, p[()]
        )
        return np.asarray(total), gradient

    return gaussian_marginal


@register_funcify_default_op_cache_key(BinomialJoint)
def _binomial(op: BinomialJoint, node: Apply, **kwargs: Any) -> Any:
    @numba_njit
    def binomial_joint(
        packed, blocks, offset, slope, block, group, value, starts, slopes, sizes, anchor, anchor_var, spread, site,
        var, turns, turn_first, single, lo, step, knots, steep, reach, first, members, node_first, nodes, node_weight,
    ):  # fmt: skip
        total, gradient = binomial_kernels.binomial_joint(
            packed, blocks[()], offset, slope[()], block, group, value, starts, slopes, sizes, anchor, anchor_var,
            spread, site, var, turns, turn_first, single, lo, step, knots, steep, reach,
            first, members, node_first, nodes, node_weight,
        )  # fmt: skip
        return np.asarray(total), gradient

    return binomial_joint
