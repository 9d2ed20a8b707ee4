"""The memory of L-BFGS for problems side by side, in its compact form: few large products, no loop over pairs."""

import torch
from torch import Tensor

PAIRS = 10  # of a step and the gradient's change; twice as many save no iterations


class Curvature:
    """Approximate inverse Hessians of V problems (Byrd, Nocedal & Schnabel 1994, theorem 2.2).

    With S and Y the last steps and changes of the gradient as columns, R the upper triangle of S'Y and E its diagonal:
    H = g P + [S gPY] [[R^-T (E + g Y'PY) R^-1, -R^-T], [-R^-1, 0]] [S gPY]', where P, the preconditioner, is an
    inverse Hessian to start from, and g its scale along the last pair. P is applied once per step, to the gradient.
    """

    def __init__(self) -> None:
        """Remember nothing yet: H is P."""
        self.steps = self.changes = self.solved = torch.empty(0)

    def remember(self, step: Tensor, change: Tensor, solved: Tensor) -> None:
        """Add a pair (V, N) and P times its change; a pair without curvature is rounding and counts for nothing."""
        bent = (step * change).sum(1, dtype=torch.float64, keepdim=True) > 0
        new = [torch.where(bent, own, 0.0).unsqueeze(1) for own in (step, change, solved)]
        if self.steps.ndim == 3:
            old = (self.steps, self.changes, self.solved)
            new = [torch.cat([kept[:, -PAIRS + 1 :], own], dim=1) for kept, own in zip(old, new, strict=True)]
        self.steps, self.changes, self.solved = new

    def keep(self, problems: Tensor) -> None:
        """Forget all problems but those of the given indices."""
        if self.steps.ndim == 3:
            self.steps, self.changes, self.solved = (kept[problems] for kept in (self.steps, self.changes, self.solved))

    def multiply(self, gradient: Tensor, solved: Tensor) -> Tensor:
        """Return H times the gradient (V, N), given P times it."""
        if self.steps.ndim != 3:
            return solved
        s, y, z = self.steps, self.changes, self.solved
        product = (s @ y.mT).double()
        bend = product.diagonal(dim1=1, dim2=2)
        bent = (y @ z.mT).double()
        last = bent[:, -1, -1]
        scale = torch.where(last > 0, bend[:, -1] / last, 1.0)[:, None, None]
        upper = product.triu() + torch.diag_embed((bend == 0).double())
        along = (s @ gradient.unsqueeze(2)).double()
        across = scale * (y @ solved.unsqueeze(2)).double()
        inner = torch.linalg.solve_triangular(upper, along, upper=True)
        outer = torch.linalg.solve_triangular(
            upper.mT, (torch.diag_embed(bend) + scale * bent) @ inner - across, upper=False
        )
        result = scale.squeeze(2) * solved.double() + (outer.to(s.dtype).mT @ s).squeeze(1)
        return (result - ((scale * inner).to(s.dtype).mT @ z).squeeze(1)).to(s.dtype)
