"""The same exact neighbours, with candidates from faiss (CPU or GPU wheel)."""

from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch  # before faiss: the reverse order once gave wrong neighbours on GPU (facebookresearch/faiss#2126)
from torch import Tensor

from babelscope.metrics.neighbours import MARGIN
from babelscope.metrics.search.points import Distance, prepare_points
from babelscope.metrics.search.rerank import rerank


@torch.no_grad()
def faiss_neighbours(
    x: Tensor, k: int, *, distance: Distance = "cosine", kin: Tensor | None = None, block: int = 2048
) -> tuple[Tensor, Tensor]:
    """Return what `nearest_neighbours` returns, to the bit, with faiss looking for the candidates.

    Args:
        x: (N, D) float32 points.
        k: Neighbours per point.
        distance: "cosine" or "euclidean".
        kin: (N,) int64 group of each point; points of one group are never each other's neighbours.
        block: Queries per call of faiss.

    Returns:
        (N, k) float64 distances, ascending, and (N, k) int64 indices; equal distances are in order of index.

    Raises:
        ValueError: As `nearest_neighbours`, or if faiss cannot be imported.
    """
    faiss = _faiss()
    points = prepare_points(x, k, distance, kin)
    n_candidates = min(k + MARGIN + 1, len(x) - points.largest + 1)
    one = torch.ones(len(x), 1)
    # The score p_i . p_j - |p_j|^2 / 2 as one inner product
    queries = torch.cat([points.p.cpu(), one], dim=1).numpy()
    keys = torch.cat([points.p.cpu(), -points.half_squares.cpu().unsqueeze(1)], dim=1).numpy()
    results = []
    for rows in torch.arange(len(x), device=x.device).split(block):
        scores, candidates = _knn(
            faiss, queries[rows[0] : rows[-1] + 1], keys, min(n_candidates + points.largest, len(x))
        )
        scores, candidates = scores.to(x.device), candidates.to(x.device)
        # Move self and kin to the end, by index, wherever they are; faiss has ordered the rest.
        scores = scores.masked_fill(points.kin[candidates] == points.kin[rows].unsqueeze(1), -torch.inf)
        scores, order = scores.sort(dim=1, descending=True, stable=True)
        results.append(rerank(points, rows, candidates.gather(1, order)[:, :n_candidates], scores[:, :n_candidates], k))
    return torch.cat([distances for distances, _ in results]), torch.cat([indices for _, indices in results])


def _knn(faiss: Any, queries: Any, keys: Any, k: int) -> tuple[Tensor, Tensor]:
    # The CPU wheel has get_num_gpus and even knn_gpu by name; only the resources tell the wheels apart.
    if hasattr(faiss, "StandardGpuResources") and faiss.get_num_gpus():
        resources = faiss.StandardGpuResources()
        scores, indices = faiss.knn_gpu(resources, queries, keys, k, metric=faiss.METRIC_INNER_PRODUCT)
    else:
        scores, indices = faiss.knn(queries, keys, k, metric=faiss.METRIC_INNER_PRODUCT)
    return torch.from_numpy(scores), torch.from_numpy(indices)


def _faiss() -> Any:
    if _installed("faiss-cpu") and _installed("faiss-gpu"):
        raise ValueError(
            "Expected one faiss wheel, but faiss-cpu and faiss-gpu overwrite each other's files; uninstall both, "
            "then install babelscope[faiss-gpu] (CUDA) or babelscope[faiss]"
        )
    try:
        import faiss
    except (ImportError, RuntimeError) as error:  # the GPU wheel without its CUDA libraries raises RuntimeError
        reason = str(error).split("\n", maxsplit=1)[0]
        raise ValueError(
            f"Expected faiss to be importable for search=faiss_neighbours, but got {reason!r}; install "
            f"babelscope[faiss] (CPU) or babelscope[faiss-gpu] (CUDA), or search with nearest_neighbours"
        ) from error
    faiss.omp_set_num_threads(torch.get_num_threads())
    return faiss


def _installed(wheel: str) -> bool:
    try:
        version(wheel)
    except PackageNotFoundError:
        return False
    return True
