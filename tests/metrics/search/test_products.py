import pytest
import torch

from babelscope.metrics.precision import full_precision, multiply
from babelscope.metrics.search.centres import find_centres
from babelscope.metrics.search.points import prepare_points
from babelscope.metrics.search.products import FAR, KEYS, encode
from tests.metrics.test_neighbours import CASES, randn

TYPES = [torch.bfloat16, torch.float32]


def keys_of(coded):
    kind = coded.right.dtype
    out = torch.empty(len(coded.right), len(coded.right), dtype=kind)
    with full_precision(out.device):
        multiply(coded.left(0, len(out)), coded.right, out)
    return out.view(KEYS[kind])


CENTRES = {
    "none": lambda p: torch.zeros(1, p.shape[1]),
    "found": lambda p: find_centres(p, torch.bfloat16),
    "some points": lambda p: p[:40],
    "far and equal": lambda p: torch.cat([p[:2], p[:2], 3 * p[2:3], 1 + p[3:4]]),
    "far outside": lambda p: 1e5 * randn(3, p.shape[1], seed=2),
}


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("case", [*CASES, "wide"])
@pytest.mark.parametrize("centres", CENTRES)
def test_no_key_breaks_its_bound(case, dtype, centres):
    x = randn(300, 1000) if case == "wide" else CASES[case]
    for distance in ("cosine", "euclidean"):
        points = prepare_points(x, 1, distance)
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(1))
        coded = encode(points, order, dtype, CENTRES[centres](points.p))
        directed = ~points.zero[order]
        p = (points.directions(order) - points.centre) / points.scale
        keys, rows = keys_of(coded)[: len(x), : len(x)], slice(0, len(x))
        for j in directed.nonzero().flatten().tolist()[::3]:
            true = (p - p[j]).norm(dim=1)
            assert bool((keys[:, j] <= coded.key_within(rows, true))[directed].all())
            assert bool((true <= coded.reach_within(rows, keys[:, j]))[directed].all())


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(("x", "count"), [(randn(64, 2), 64), (randn(64, 1), 9), (randn(99, 300), 40)])
def test_before_it_is_rounded_a_sum_errs_by_no_more_than_is_allowed(x, count, dtype):
    points = prepare_points(x, 1, "euclidean")
    centres = points.p[:count].contiguous()
    coded = encode(points, torch.arange(len(x)), dtype, centres)
    rows, width = slice(0, len(x)), x.shape[1]
    sums = coded.left(0, len(x)).float() @ coded.right[rows].float().T
    own = coded.right[rows, width : width + count].float().argmax(1)
    q = centres[own].double() + coded.right[rows, :width].double()
    true = (q.unsqueeze(1) - q).square().sum(2)
    for j in range(len(x)):
        bound = coded._error(rows, coded.size[j].expand(len(x)), true[j].sqrt())
        assert bool(((sums[:, j] - true[j] / 2).abs() <= bound).all())


@pytest.mark.parametrize("dtype", TYPES)
def test_scores_are_half_squared_distances_and_padding_is_far(dtype):
    x = 3 + randn(50, 20)
    points = prepare_points(x, 1, "euclidean")
    coded = encode(points, torch.arange(50), dtype, CENTRES["none"](points.p))
    values = keys_of(coded).view(dtype).double()
    assert coded.right.shape == (64, 32 if dtype == torch.bfloat16 else 24)
    assert bool((values[:50, 50:] >= FAR / 2).all())
    a = coded.right[:50, :20].double()
    torch.testing.assert_close(values[:50, :50], torch.cdist(a, a).square() / 2, rtol=2**-8, atol=1e-6)


@pytest.mark.parametrize(("dtype", "most"), [(torch.bfloat16, 2e-2), (torch.float32, 1e-4)])
def test_around_centres_rounding_is_relative_to_what_is_left(dtype, most):
    x = randn(3, 20).repeat_interleave(100, 0) + 1e-3 * randn(300, 20, seed=1)
    points = prepare_points(x, 1, "euclidean")
    true = torch.cdist(points.p.double(), points.p.double()).square() / 2
    wrong = {}
    for name in ("none", "found"):
        values = keys_of(encode(points, torch.arange(300), dtype, CENTRES[name](points.p))).view(dtype).double()
        wrong[name] = float((values[:100, :100] - true[:100, :100]).abs().max() / true[:100, :100].max())
    assert wrong["found"] < most
    assert wrong["none"] > 20 * wrong["found"]


def test_float32_products_agree_with_the_plain_one():
    left, right = randn(33, 70), randn(65, 70, seed=1)
    out = torch.empty(33, 65)
    multiply(left, right, out)
    torch.testing.assert_close(out, left @ right.T)
