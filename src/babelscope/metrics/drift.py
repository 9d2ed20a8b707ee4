"""Drift: how much of each language's own geometry at step 0 remains."""

import torch
from torch import Tensor

from babelscope.metrics.cka import align, unit_gram
from babelscope.metrics.mutual_knn import overlap
from babelscope.metrics.neighbours import Search, nearest_neighbours
from babelscope.metrics.remedies import about_k
from babelscope.metrics.sample import LayerMetric, LayerSample, function_of
from babelscope.metrics.search.points import Distance


def drift(
    sample: LayerSample, *, k: int = 10, distance: Distance = "cosine", search: Search = nearest_neighbours
) -> dict[str, Tensor]:
    """Compare each language's states with the states of the same points at step 0, `sample.start`.

    Both scores see only how a language's sentences lie relative to each other, so rotating or scaling it is not drift.
    Unchanged states score 1, unless they have no arrangement of sentences (see `cka`). Of equally near sentences, the
    first counts.

    Args:
        sample: S points in K languages of at least 4 sentences each, with their states at step 0.
        k: Neighbours per sentence, below the sentences of every language.
        distance: "cosine" or "euclidean".
        search: Where the neighbours come from.

    Returns:
        drift_knn: (K,) share of the k nearest sentences of its own language that a sentence has kept.
        drift_cka: (K,) debiased linear CKA between now and step 0; 0 on average for unrelated states.
        drift_knn_null: 0-d mean over languages of k / (n_l - 1).

    Raises:
        ValueError: if the sample does not know its start, or a language has too few sentences.
    """
    if sample.start is None:
        raise ValueError(
            "Expected `sample.start`, the states at step 0, but the sample has none; name the checkpoint to compare "
            "with by `babelscope probe start=CHECKPOINT`; in training, LayerScores keeps step 0 for drift itself: set "
            "its options by functools.partial(drift, k=5), and `reads_start = True` on a function that calls it"
        )
    sizes = torch.bincount(sample.language, minlength=sample.n_languages)
    fewest = int(sizes.argmin())
    if not 1 <= k < int(sizes[fewest]):
        raise ValueError(
            f"Expected argument `k` to be at least 1 and smaller than the sentences of every language, but got k={k} "
            f"with {int(sizes[fewest])} in {sample.name(fewest)}; {about_k('drift', k)}"
        )
    kept, aligned = [], []
    for language in range(sample.n_languages):
        own = sample.language == language
        now, then = sample.x[own], sample.start[own]
        kept.append(overlap(search(now, k, distance=distance)[1], search(then, k, distance=distance)[1]))
        aligned.append(align(unit_gram(now), unit_gram(then)))
    return {
        "drift_knn": torch.stack(kept),
        "drift_cka": torch.stack(aligned),
        "drift_knn_null": (k / (sizes.double() - 1)).mean(),
    }


drift.reads_start = True  # type: ignore[attr-defined]


def needs_start(metric: LayerMetric) -> bool:
    """Whether a metric, perhaps with options bound by `partial`, says by `reads_start` that it reads `sample.start`."""
    return bool(getattr(function_of(metric), "reads_start", False))
