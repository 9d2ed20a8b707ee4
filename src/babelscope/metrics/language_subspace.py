"""The language subspace: how much of a layer is language identity, and what is left without it."""

import torch
from torch import Tensor

from babelscope.metrics.parallel import align_sentences, find_pivot
from babelscope.metrics.retrieval import mean_precision
from babelscope.metrics.sample import LayerSample
from babelscope.metrics.separability import separability

ROUNDING = 1e-12  # directions and rows below this share of the norm of what they were computed from are rounding


def language_subspace(
    sample: LayerSample,
    *,
    pivot: str | None = "eng_Latn",
    rank: int | None = None,
    probe: bool = False,
    folds: int = 5,
    C: float = 1.0,  # noqa: N803  (the name that scikit-learn made known)
    seed: int = 0,
) -> dict[str, Tensor]:
    """Measure the language means' share of the variance, and retrieval after they are shifted or projected away.

    With m_l the mean of language l and m the mean of all, shifting is x - m_l + m. Removing is x - M_s M_s' x, with M_s
    the first r left singular vectors of the centred means, the language subspace of LSAR (Xie et al. 2022). If all
    states are identical, the variance share is 0 and nothing is removed.

    Args:
        sample: n aligned sentences in K >= 2 languages.
        pivot: Language with which every other is compared; its own entry is the mean of the others. None: each language
            is compared with all others.
        rank: r, the number of directions to remove, from 1 to K - 1; None for K - 1, all that the means span.
        probe: Whether to fit the language probe of `separability` on shifted and removed states: the slow part.
        folds: Folds of the probe.
        C: Inverse strength of the probe's penalty.
        seed: Deals the probe's sentences into folds.

    Returns:
        language_variance: 0-d eta, sum_l n_l |m_l - m|^2 / sum_i |x_i - m|^2.
        language_variance_null: 0-d (K - 1) / (S - 1), its mean if languages are assigned to points at random.
        retrieval_shifted, retrieval_removed: (K,) P@1 as in `retrieval`.
        separability_shifted, separability_removed: (K,) if `probe`. When the means are equal, that is after shifting or
            after removing all K - 1 directions, no linear probe beats 1/K. It even falls below, because the mean of
            the held-out points lies opposite to the mean of the training points.

    Raises:
        ValueError: if sentences are not aligned, the pivot is not one of the languages, or the rank exceeds K - 1.
    """
    x, pivot_index = align_sentences(sample), find_pivot(sample, pivot)
    languages, sentences, width = x.shape
    rank = languages - 1 if rank is None else rank
    if not 1 <= rank <= languages - 1:
        raise ValueError(
            f"Expected argument `rank` to be from 1 to the number of languages less 1, but got {rank} with "
            f"{languages} languages; lower metrics.language_subspace.rank, or leave it null for {languages - 1}"
        )
    # Means relative to a point of the language: exact if all its points are identical.
    means = torch.stack([states[0].double() + (states.double() - states[0].double()).mean(0) for states in x])
    mean = means[0] + (means - means[0]).mean(0)
    between = sentences * (means - mean).square().sum()
    total = torch.stack([(states.double() - mean).square().sum() for states in x]).sum()
    basis = language_basis(means, rank)
    result = {
        "language_variance": torch.where(total > 0, between / total, 0.0),
        "language_variance_null": total.new_tensor((languages - 1) / (languages * sentences - 1)),
    }
    # One changed copy of the states at a time.
    for name in ("shifted", "removed"):
        y = torch.empty_like(x)
        for i, states in enumerate(x):
            y[i] = states.double() - means[i] + mean if name == "shifted" else _remove(states, basis)
        result[f"retrieval_{name}"] = mean_precision(y, pivot_index)
        if probe:
            language = torch.arange(languages, device=x.device).repeat_interleave(sentences)
            sentence = torch.arange(sentences, device=x.device).repeat(languages)
            changed = LayerSample(y.view(-1, width), language, sentence, sample.languages)
            result[f"separability_{name}"] = separability(changed, folds=folds, C=C, seed=seed)["separability"]
    return result


def language_basis(means: Tensor, rank: int) -> Tensor:
    """Return an orthonormal basis (D, <= rank) of the language subspace of the means (K, D).

    LSAR splits the means as M = mu 1' + M_s G' with mu orthogonal to M_s. Its mu is the point nearest to the origin in
    the affine hull of the rank-r means. So M_s spans the directions of the hull, which the SVD of the centred means
    gives.
    """
    centred = means - means.mean(0)
    _, values, directions = torch.linalg.svd(centred, full_matrices=False)
    kept = values[:rank] > ROUNDING * means.norm()
    return directions[:rank][kept].T


def _remove(x: Tensor, basis: Tensor) -> Tensor:
    states = x.double()
    left = states - (states @ basis) @ basis.T
    # A state inside the subspace leaves only rounding, which must not be mistaken for a direction.
    gone = left.norm(dim=1, keepdim=True) <= ROUNDING * states.norm(dim=1, keepdim=True)
    return left.masked_fill_(gone, 0)
