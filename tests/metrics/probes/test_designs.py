import pytest
import torch

from babelscope.metrics.probes.designs import SharedDesign, StackedDesigns
from tests.metrics.test_neighbours import randn

WEIGHT = 0.5 + torch.rand(3, 1, 40, generator=torch.Generator().manual_seed(1))
TABLES = [randn(40, 6), randn(31, 6, seed=2)]
OF = torch.tensor([0, 0, 1])
WEIGHT[2, :, 31:] = 0  # the second table is shorter


def designs():
    several = StackedDesigns(TABLES, OF, WEIGHT, 5)
    alone = [SharedDesign(TABLES[i], WEIGHT[n : n + 1, :, : len(TABLES[i])], 5) for n, i in enumerate(OF.tolist())]
    return several, alone


@pytest.mark.parametrize("left", [[0, 1, 2], [1, 2], [2]])
def test_several_tables_give_what_each_gives_alone(left):
    several, alone = designs()
    left = torch.tensor(left)
    w, residual = randn(len(left), 5, 7), randn(len(left), 5, 40)
    residual[left == 2, :, 31:] = 0
    forward, backward, solved = several.forward(left, w), several.backward(left, residual), several.solve(left, w)
    for n, problem in enumerate(left.tolist()):
        design, some = alone[problem], slice(n, n + 1)
        points = len(design.x)
        torch.testing.assert_close(forward[some, :, :points], design.forward(left, w[some]))
        torch.testing.assert_close(
            backward[some], design.backward(left, residual[some, :, :points].contiguous()), rtol=1e-5, atol=1e-5
        )
        torch.testing.assert_close(solved[some], design.solve(left, w[some].contiguous()), rtol=1e-4, atol=1e-5)


def test_backward_is_the_transpose_of_forward():
    w, residual = randn(1, 5, 7), randn(1, 5, 40)
    left, design = torch.arange(1), SharedDesign(TABLES[0], WEIGHT[:1], 5)
    ahead, back = (design.forward(left, w) * residual).sum(), (design.backward(left, residual) * w).sum()
    torch.testing.assert_close(ahead, back)


def test_solve_undoes_the_hessian_of_the_objective():
    """By autograd: at zero, a change of one class's coefficients changes its gradient by the Hessian, up to 1 - 1/K."""
    x, weight, left = TABLES[0].double(), WEIGHT[0, 0].double(), torch.arange(1)
    ones = torch.cat([x, torch.ones(40, 1, dtype=torch.float64)], dim=1)

    def objective(v):
        return (weight * torch.nn.functional.softplus(ones @ v)).sum() + v[:-1].square().sum() / 2

    # of two classes p (1 - p) is 1/4 at zero, and softplus is the cross-entropy of one against the other
    hessian = torch.autograd.functional.hessian(objective, torch.zeros(7, dtype=torch.float64))
    v = randn(1, 4, 7)
    solved = SharedDesign(TABLES[0], WEIGHT[:1], 4).solve(left, (v.double() @ hessian).float())
    torch.testing.assert_close(solved, v, rtol=1e-3, atol=1e-3)
