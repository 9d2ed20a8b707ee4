import pytest
import torch

from babelscope.metrics import neighbours
from babelscope.metrics.neighbours import find_neighbours
from babelscope.metrics.search import groups
from babelscope.metrics.search.groups import separate_groups
from babelscope.metrics.search.points import Points, prepare_points
from tests.metrics.planted import randn

GROUP = torch.arange(1600) % 8


def planted(spread: float, width: int = 40) -> torch.Tensor:
    return randn(8, width)[GROUP] + spread * randn(1600, width, seed=1)


def with_outliers(size: float) -> torch.Tensor:
    """Far from their group, between two groups, and without a direction."""
    x = planted(0.05)
    x[::100] += size * randn(16, 40, seed=2)
    x[1], x[10] = (x[2] + x[3]) / 2, 0
    return x


CASES = {
    "tight": planted(1e-3),
    "loose": planted(0.2),
    "touching": planted(0.35),
    "uneven": planted(0.02) * torch.logspace(0, 1, 8)[GROUP].unsqueeze(1),
    "outliers": with_outliers(1.0),
    "far outliers": with_outliers(100.0),
    "nested": planted(0.1) + 1e-3 * randn(40, 40, seed=3)[torch.arange(1600) % 40],
    "copies": planted(0.1)[torch.arange(1600) // 4],
    "a line": planted(0.02, width=1),
}
KIN = {
    "none": None,
    "within groups": torch.arange(1600) // 16 * 8 + GROUP,
    "across groups": torch.arange(1600) // 8,
    "the groups": GROUP,
}


def check_proofs(points: Points, k: int) -> int:
    """Compare with all distances, and return the number of proven rows."""
    u = points.directions(slice(None))
    true = torch.cdist(u, u, compute_mode="donot_use_mm_for_euclid_dist")
    true = torch.where(points.zero | points.zero.unsqueeze(1), 2**0.5, true)
    true.masked_fill_(points.kin == points.kin.unsqueeze(1), torch.inf)
    furthest = true.kthvalue(k, dim=1).values
    n_proven = 0
    for rows, proven in separate_groups(points, k):
        assert bool((rows.diff() > 0).all())
        outside = torch.ones(len(true), dtype=torch.bool)
        outside[rows] = False
        outside = outside & (points.kin != points.kin[rows[proven]].unsqueeze(1))
        assert not bool((outside & (true[rows[proven]] <= furthest[rows[proven]].unsqueeze(1))).any())
        n_proven += int(proven.sum())
    return n_proven


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
@pytest.mark.parametrize("kin", KIN)
@pytest.mark.parametrize("case", CASES)
def test_neighbours_of_proven_rows_are_in_their_group(case, kin, distance):
    check_proofs(prepare_points(CASES[case], 5, distance, KIN[kin]), 5)


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
@pytest.mark.parametrize("kin", KIN)
@pytest.mark.parametrize("case", CASES)
def test_groups_change_no_bit(case, kin, distance, monkeypatch):
    monkeypatch.setattr(neighbours, "MAX_BRUTE_FORCE_POINTS", 0)
    x = CASES[case]
    found = find_neighbours(x, 5, distance=distance, kin=KIN[kin])
    monkeypatch.setattr(neighbours, "separate_groups", lambda points, k: [])
    expected = find_neighbours(x, 5, distance=distance, kin=KIN[kin])
    assert torch.equal(found.indices, expected.indices)
    assert torch.equal(found.distances, expected.distances)


def test_separate_groups_are_found_but_not_touching_ones_or_kin():
    shares = {}
    for case, x in CASES.items():
        for kin in ("none", "the groups"):
            found = separate_groups(prepare_points(x, 5, "euclidean", KIN[kin]), 5)
            shares[case, kin] = sum(int(proven.sum()) for _, proven in found) / len(x)
    assert shares["tight", "none"] == shares["loose", "none"] == 1
    assert 0.9 < shares["outliers", "none"] < 1
    assert shares["touching", "none"] == 0
    assert not any(share for (_, kin), share in shares.items() if kin == "the groups")


@pytest.mark.parametrize("gap", [-0.5, -1e-3, -1e-5, -(2.0**-22), 1e-5, 1e-3, 0.5])
def test_the_proof_is_as_sharp_as_it_can_be(gap, monkeypatch):
    """A point at 1 from its group, where the next group begins at 2 + gap."""
    x = torch.cat([torch.zeros(100), torch.full((50,), 2 + gap), torch.full((50,), 4 + gap), torch.ones(1)])
    points = prepare_points(x.unsqueeze(1), 5, "euclidean")
    monkeypatch.setattr(groups, "find_centres", lambda p, dtype: torch.stack([p[0], (p[100] + p[150]) / 2]))
    ((rows, proven),) = separate_groups(points, 5)
    assert rows.tolist() == [*range(100), 200]
    assert bool(proven[:100].all())
    assert bool(proven[100]) == (gap > 0)


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
def test_no_centres_make_a_false_proof(distance, monkeypatch):
    n_proven = 0
    for seed in range(400):
        random = torch.Generator().manual_seed(seed)
        count, width, k = (
            int(torch.randint(low, high, (), generator=random)) for low, high in ((12, 40), (1, 4), (1, 4))
        )
        x = torch.randn(3, width, generator=random)[torch.arange(count) % 3]
        x += 10 ** -float(3 * torch.rand((), generator=random)) * torch.randn(count, width, generator=random)
        x[torch.rand(count, generator=random) < 0.1 * (seed % 3)] = 0
        kin = torch.randint(count // 2 + seed % 2 * count, (count,), generator=random)
        share = 0.5 if seed % 5 == 0 else 1.0
        monkeypatch.setattr(groups, "find_centres", lambda p, dtype, n=2 + seed % 4, share=share: p[:n] * share)
        n_proven += check_proofs(prepare_points(x, k, distance, kin), k)
    assert n_proven > 1000
