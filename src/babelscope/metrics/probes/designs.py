"""Design matrices of logistic probes: the features of the points, and the Hessian at zero."""

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

from babelscope.metrics.precision import product


class SharedDesign:
    """One table of features for all problems, multiplied in few large products.

    Args:
        x: (n, D) float32 features.
        sample_weight: (V, 1, n) weights of the points, C included.
        classes: K.
    """

    def __init__(self, x: Tensor, sample_weight: Tensor, classes: int) -> None:
        self.x, self.columns = x, x.T.contiguous()
        self.sample_weight, self.classes = sample_weight.mean(0).squeeze(0).unsqueeze(1), classes

    @cached_property
    def root(self) -> tuple[Tensor, Tensor]:
        """Both factors of the inverse Hessian, computed on first use; problems whose optimum is 0 never need it."""
        weighted = self.x * (self.sample_weight / self.classes)
        width = self.x.shape[1]
        hessian = self.x.new_zeros(width + 1, width + 1, dtype=torch.float64)
        hessian[:-1, :-1] = weighted.T @ self.x
        hessian[-1, :-1] = hessian[:-1, -1] = weighted.sum(0)
        hessian[-1, -1] = self.sample_weight.sum() / self.classes
        lower = inverse_root(hessian).to(self.x.dtype)
        return lower, lower.T.contiguous()

    def forward(self, _: Tensor, w: Tensor) -> Tensor:
        """Return logits (V, K, n) from coefficients (V, K, D + 1), whose last column is the intercept."""
        slopes = w[:, :, :-1].reshape(-1, w.shape[2] - 1)
        return product(slopes, self.x).view(*w.shape[:2], -1) + w[:, :, -1:]

    def backward(self, _: Tensor, residual: Tensor) -> Tensor:
        """Apply the transpose of `forward`."""
        slopes = product(residual.flatten(0, 1), self.columns).view(*residual.shape[:2], -1)
        return torch.cat([slopes, residual.sum(2, keepdim=True)], dim=2)

    def solve(self, _: Tensor, q: Tensor) -> Tensor:
        """Return the inverse of the Hessian at zero, C x'x / K + I, times q (V, K, D + 1)."""
        lower, upper = self.root
        return product(product(q.flatten(0, 1), lower), upper).view_as(q)


class StackedDesigns:
    """One table for each of a few small problems, in batched operations, since overhead is most of their time.

    Args:
        tables: (n, D) float32 features each; n may differ.
        table: (V,) index of the table of each problem, on the CPU.
        sample_weight: (V, 1, n) weights of the points, C included, 0 beyond the end of a table.
        classes: K.
    """

    def __init__(self, tables: Sequence[Tensor], table: Tensor, sample_weight: Tensor, classes: int) -> None:
        ones = [torch.cat([x, torch.ones_like(x[:, :1])], dim=1) for x in tables]
        x = torch.stack([torch.nn.functional.pad(own, (0, 0, 0, sample_weight.shape[2] - len(own))) for own in ones])
        # copied for each problem, because a batched product cannot use one table twice
        self.x, self.left = x[table.to(x.device)], torch.arange(len(table))
        hessian = ((self.x * (sample_weight / classes).mT).mT @ self.x).double()
        self.root = inverse_root(hessian).to(x.dtype)

    def _keep(self, left: Tensor) -> None:
        if len(left) < len(self.left):
            kept = torch.isin(self.left, left).to(self.x.device)
            self.x, self.root, self.left = self.x[kept], self.root[kept], left

    def forward(self, left: Tensor, w: Tensor) -> Tensor:
        """Return logits (V, K, n) from coefficients (V, K, D + 1), whose last column is the intercept."""
        self._keep(left)
        return w @ self.x.mT

    def backward(self, left: Tensor, residual: Tensor) -> Tensor:
        """Apply the transpose of `forward`."""
        self._keep(left)
        return residual @ self.x

    def solve(self, left: Tensor, q: Tensor) -> Tensor:
        """Return the inverse of the Hessian at zero, C x'x / K + I, times q (V, K, D + 1)."""
        self._keep(left)
        return q @ self.root.mT @ self.root


def inverse_root(hessian: Tensor) -> Tensor:
    """Return the inverse Cholesky factor T of Hessians (..., D + 1, D + 1), float64; the penalty is added in place.

    T'T is the inverse. Multiplying by T' and T stays positive definite however the features are scaled; multiplying by
    the rounded inverse does not.
    """
    diagonal = hessian.diagonal(dim1=-2, dim2=-1)
    diagonal[..., :-1] += 1
    diagonal[..., -1] += 1e-6  # the intercept has no penalty
    # The float32 product may be off by this much. The Hessian is only a start, so more penalty does no harm.
    diagonal += diagonal.shape[-1] * 2.0**-23 * diagonal.amax(-1, keepdim=True)
    factor = torch.linalg.cholesky(hessian)
    one = torch.eye(hessian.shape[-1], dtype=hessian.dtype, device=hessian.device).expand_as(factor)
    return torch.linalg.solve_triangular(factor, one, upper=False)
