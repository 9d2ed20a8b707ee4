"""The memory of L-BFGS for several problems, in its compact form: few large products, no loop over pairs."""

import torch
from torch import Tensor
from torch.nn.functional import pad

PAIRS = 10  # pairs of a step and the change of the gradient; twice as many save no iterations


class InverseHessian:
    """Approximate inverse Hessians of V problems (Byrd, Nocedal & Schnabel 1994, theorem 2.2).

    With S and Y the last steps and changes of the gradient as columns, R the upper triangle of S'Y and E its diagonal:
    H = g P + [S gPY] [[R^-T (E + g Y'PY) R^-1, -R^-T], [-R^-1, 0]] [S gPY]', where P, the preconditioner, is an
    inverse Hessian to start from, and g its scale along the last pair. P is applied once per step, to the gradient.
    """

    def __init__(self) -> None:
        """Start without pairs: H is P."""
        self.steps = self.gradient_changes = self.preconditioned = torch.empty(0)
        self.upper = self.change_gram = torch.empty(0)
        """(V, m, m) float64 R and Y'PY; each new pair adds one row and column."""

    def update(self, step: Tensor, change: Tensor, preconditioned: Tensor) -> None:
        """Add a pair (V, N) and P times its change; a pair without curvature is rounding and is set to 0."""
        has_curvature = (step * change).sum(1, dtype=torch.float64, keepdim=True) > 0
        step, change, preconditioned = (torch.where(has_curvature, own, 0.0) for own in (step, change, preconditioned))
        if self.steps.ndim != 3:
            self.steps = self.gradient_changes = self.preconditioned = step.new_zeros(len(step), 0, step.shape[1])
            self.upper = self.change_gram = step.new_zeros(len(step), 0, 0, dtype=torch.float64)
        self.steps, self.gradient_changes, self.preconditioned = (
            torch.cat([kept[:, -PAIRS + 1 :], own.unsqueeze(1)], dim=1)
            for kept, own in (
                (self.steps, step),
                (self.gradient_changes, change),
                (self.preconditioned, preconditioned),
            )
        )
        self.upper, self.change_gram = (
            pad(gram[:, -PAIRS + 1 :, -PAIRS + 1 :], (0, 1, 0, 1)) for gram in (self.upper, self.change_gram)
        )
        self.upper[:, :, -1:] = _along(self.steps, change)
        self.change_gram[:, :, -1:] = _along(self.gradient_changes, preconditioned)
        self.change_gram[:, -1:, :] = self.change_gram[:, :, -1:].mT

    def keep(self, problems: Tensor) -> None:
        """Keep only the problems with the given indices."""
        if self.steps.ndim == 3:
            self.steps, self.gradient_changes, self.preconditioned, self.upper, self.change_gram = (
                kept[problems]
                for kept in (self.steps, self.gradient_changes, self.preconditioned, self.upper, self.change_gram)
            )

    def multiply(self, gradient: Tensor, preconditioned: Tensor) -> Tensor:
        """Return H times the gradient (V, N), given P times it."""
        if self.steps.ndim != 3:
            return preconditioned
        curvature = self.upper.diagonal(dim1=1, dim2=2)
        last = self.change_gram[:, -1, -1]
        scale = torch.where(last > 0, curvature[:, -1] / last, 1.0)[:, None, None]
        upper = self.upper + torch.diag_embed((curvature == 0).double())
        along = _along(self.steps, gradient)
        across = scale * _along(self.gradient_changes, preconditioned)
        inner = torch.linalg.solve_triangular(upper, along, upper=True)
        outer = torch.linalg.solve_triangular(
            upper.mT, (torch.diag_embed(curvature) + scale * self.change_gram) @ inner - across, upper=False
        )
        result = scale.squeeze(2) * preconditioned.double() + (outer.to(gradient.dtype).mT @ self.steps).squeeze(1)
        return (result - ((scale * inner).to(gradient.dtype).mT @ self.preconditioned).squeeze(1)).to(gradient.dtype)


def _along(rows: Tensor, vector: Tensor) -> Tensor:
    """Return products (V, m, 1), as float64, of rows (V, m, N) with a vector (V, N).

    The vector is passed as a row, because with a column oneDNN and MKL take up to fifteen times as long.
    """
    return (vector.unsqueeze(1) @ rows.mT).mT.double()
