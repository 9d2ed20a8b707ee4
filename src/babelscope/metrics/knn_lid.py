"""Language identification by nearest neighbours: is a sentence's neighbourhood in its own language?"""

import torch
from torch import Tensor

from babelscope.metrics.neighbours import Search, nearest_neighbours
from babelscope.metrics.probes.standardise import language_means
from babelscope.metrics.remedies import about_k
from babelscope.metrics.sample import LayerSample
from babelscope.metrics.search.points import Distance


def knn_lid(
    sample: LayerSample, *, k: int = 5, distance: Distance = "cosine", search: Search = nearest_neighbours
) -> dict[str, Tensor]:
    """Predict language by the majority among the k nearest points of other sentences.

    A point's own translations do not vote. As in the folds of the linear probe, no sentence is on both sides, and an
    aligned space is not mistaken for one that has lost its languages. Among languages with equally many votes, the
    language of the nearest voter wins.

    Args:
        sample: S points in K languages.
        k: Voters per point.
        distance: "cosine" or "euclidean".
        search: Where the neighbours come from.

    Returns:
        knn_lid: (K,) share of each language's points that are assigned their own language.
        knn_lid_centred: (K,) the same after each language's mean is subtracted: what remains beyond an offset. A linear
            probe cannot measure this, because with equal class means its optimum is chance.

    Raises:
        ValueError: if fewer than k points remain without a sentence and its translations.
    """
    points = len(sample.x)
    translations = int(sample.sentence.unique(return_counts=True)[1].max()) - 1
    if not 1 <= k < points - translations:
        raise ValueError(
            f"Expected argument `k` to be at least 1 and smaller than the number of points of other sentences, but got "
            f"k={k} with {points - translations - 1} of them; {about_k('knn_lid', k)}"
        )
    size = torch.bincount(sample.language, minlength=sample.n_languages)
    every = torch.arange(points, device=sample.x.device)
    means = language_means(sample.x, sample.language, every, sample.n_languages)
    centred = sample.x - means.float()[sample.language]

    def accuracy(x: Tensor) -> Tensor:
        _, voters = search(x, k, distance=distance, kin=sample.sentence)
        hit = _vote(sample, voters) == sample.language
        return torch.bincount(sample.language[hit], minlength=sample.n_languages).double() / size

    return {"knn_lid": accuracy(sample.x), "knn_lid_centred": accuracy(centred)}


def _vote(sample: LayerSample, voters: Tensor) -> Tensor:
    """Return the most frequent language (S,) among the voters (S, k), who are sorted by nearness."""
    theirs = sample.language[voters]
    votes = theirs.new_zeros(len(voters), sample.n_languages).scatter_add_(1, theirs, torch.ones_like(theirs))
    # The first maximum belongs to the nearest voter.
    first = votes.gather(1, theirs).argmax(dim=1, keepdim=True)
    return theirs.gather(1, first).squeeze(1)
