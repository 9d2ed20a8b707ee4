"""The exact 5-NN graph against faiss's exact search."""

from collections.abc import Iterator
from unittest import mock

import numpy as np
import torch
from torch import Tensor

from babelscope.metrics.hardware import product_type
from babelscope.metrics.neighbours import Found, find_neighbours
from benchmarks.data import points
from benchmarks.result import Check, Line, Settings, Skip
from benchmarks.timing import interleave

K = 5
APART, FAR = 0.5, 20.0
"""How far apart languages are, in units of noise: near each other, or tight groups."""
MANY_LANGUAGES, FEWER_SENTENCES = 205, 151
"""As many languages as FLORES-200 has, and nearly as many points as with 31."""
TARGETS = {torch.bfloat16: 3.0, torch.float32: 1.4}


def measure(settings: Settings) -> Iterator[Line]:
    try:
        import faiss
    except ImportError as error:
        raise Skip("faiss is not installed; pip install babelscope[faiss]") from error
    faiss.omp_set_num_threads(torch.get_num_threads())
    few, widths = ((6, 400), (48, 64)) if settings.quick else ((31, 997), (768, 2048))
    many = (40, 60) if settings.quick else (MANY_LANGUAGES, FEWER_SENTENCES)
    best = product_type(torch.device("cpu"))
    for width, size, apart in (*((width, few, APART) for width in widths), *((widths[0], n, FAR) for n in (few, many))):
        x = points(*size, width, apart=apart).x
        groups = f"{size[0]} languages far apart, " if apart == FAR else ""
        u = torch.nn.functional.normalize(x).numpy()  # of which faiss makes cosines; not timed

        def theirs(u: np.ndarray = u) -> np.ndarray:
            found: np.ndarray = faiss.knn(u, u, K + 1, metric=faiss.METRIC_INNER_PRODUCT)[1]
            return found

        for dtype in dict.fromkeys((best, torch.float32)):

            def ours(x: Tensor = x, dtype: torch.dtype = dtype) -> Found:
                # float32 as where there are no bf16 instructions
                with mock.patch("babelscope.metrics.neighbours.product_type", return_value=dtype):
                    return find_neighbours(x, K)

            pairs = interleave(ours, theirs, settings.repeats)
            checks, extras = compare(x, pairs.our_result.indices, torch.from_numpy(pairs.their_result))
            shares = {f"rows proven in {name}": share for name, share in pairs.our_result.certified.items()}
            yield Line(
                f"{K}-NN graph, {len(x):,} x {width:,} float32, cosine, {groups}"
                f"{str(dtype).removeprefix('torch.')} products",
                f"faiss {faiss.__version__} exact search (knn, inner product)",
                pairs.ours,
                pairs.theirs,
                target=TARGETS[dtype],
                checks=checks,
                extras=extras | shares,
            )


def compare(x: Tensor, ours: Tensor, theirs: Tensor) -> tuple[list[Check], dict[str, float]]:
    """Sets of neighbours: where ours (N, k) differ from theirs (N, k + 1, self among them), ours are as near or nearer.

    faiss ranks float32 cosines, so that a near tie can go either way; float64 distances are the arbiter.
    """
    dropped = drop_self(theirs.to(ours.device), K)
    differ = (ours.sort(1).values != dropped.sort(1).values).any(1).nonzero().flatten()
    excess = _distances(x, differ, ours[differ]) - _distances(x, differ, dropped[differ])
    farther = int((excess > 1e-13).any(1).sum()) if len(differ) else 0
    own = torch.arange(len(x), device=ours.device).unsqueeze(1)
    ordered = ours.sort(1).values
    wrong = int(((ours == own).any(1) | (ordered[:, 1:] == ordered[:, :-1]).any(1)).sum())
    share = 1 - len(differ) / len(x)
    checks = [
        Check("rows with a neighbour farther than faiss's", farther, "==", 0),
        Check("rows that name themselves, or one twice", wrong, "==", 0),
    ]
    return checks, {"equal sets": share}


def drop_self(neighbours: Tensor, k: int) -> Tensor:
    """Indices (N, k) of (N, k + 1): without the row itself, or the last one where it is not there."""
    own = neighbours == torch.arange(len(neighbours), device=neighbours.device).unsqueeze(1)
    order = own.int().argsort(dim=1, stable=True)
    return neighbours.gather(1, order)[:, :k]


def _distances(x: Tensor, rows: Tensor, others: Tensor) -> Tensor:
    """Cosine distances (B, k) in float64, ascending."""
    norm = torch.nn.functional.normalize
    own, theirs = norm(x[rows].double(), dim=1), norm(x[others].double(), dim=2)
    return ((theirs - own.unsqueeze(1)).square().sum(2) / 2).sort(1).values
