"""Mutual nearest neighbours: does a sentence have the same neighbours in two languages?"""

from torch import Tensor

from babelscope.metrics.neighbours import Search, nearest_neighbours
from babelscope.metrics.parallel import align_sentences, find_pivot, symmetric_scores
from babelscope.metrics.remedies import about_k
from babelscope.metrics.sample import LayerSample
from babelscope.metrics.search.points import Distance


def mutual_knn(
    sample: LayerSample,
    *,
    pivot: str | None = "eng_Latn",
    k: int = 10,
    distance: Distance = "cosine",
    search: Search = nearest_neighbours,
) -> dict[str, Tensor]:
    """Measure the share of a sentence's k nearest in its language that it also has in another (Huh et al. 2024).

    Neighbours are sought within each language, so rotating or, with euclidean distance, shifting a language changes
    nothing. Of equally near sentences, the first counts. So in a language whose states are all identical, the first k
    are the neighbours of every sentence; two such languages share them all, and their score near 1 means nothing.

    Args:
        sample: n aligned sentences in K >= 2 languages.
        pivot: Language with which every other is compared; its own entry is the mean of the others. None: each language
            is compared with all others.
        k: Neighbours per sentence, below n.
        distance: "cosine" or "euclidean".
        search: Where the neighbours come from.

    Returns:
        mutual_knn: (K,).
        mutual_knn_null: 0-d k / (n - 1), the share that two random sets of k have in common.

    Raises:
        ValueError: if sentences are not aligned, the pivot is not one of the languages, or k does not fit n.
    """
    x, pivot_index = align_sentences(sample), find_pivot(sample, pivot)
    languages, sentences, _ = x.shape
    if not 1 <= k < sentences:
        raise ValueError(
            f"Expected argument `k` to be at least 1 and smaller than the number of sentences, but got k={k} with "
            f"{sentences}; {about_k('mutual_knn', k)}"
        )
    neighbours = [search(states, k, distance=distance)[1] for states in x]
    share = symmetric_scores(languages, pivot_index, lambda one, other: overlap(neighbours[one], neighbours[other]))
    return {"mutual_knn": share, "mutual_knn_null": share.new_tensor(k / (sentences - 1))}


def overlap(one: Tensor, other: Tensor) -> Tensor:
    """Return the mean share (0-d) of neighbours that two lists (n, k) have in common."""
    return (one.unsqueeze(2) == other.unsqueeze(1)).any(2).double().mean()
