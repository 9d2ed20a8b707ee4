"""Linear separability of languages: how well a linear probe tells which language a sentence is in."""

from typing import NamedTuple

import torch
from torch import Tensor

from babelscope.metrics.precision import full_precision
from babelscope.metrics.probes.folds import sentence_folds
from babelscope.metrics.probes.logistic import fit_together
from babelscope.metrics.probes.standardise import language_means, standardise
from babelscope.metrics.sample import LayerSample

TOGETHER = 2**20
"""Numbers of states and Hessians that are fitted at a time: so few are all overhead, more would leave the cache."""


class Part(NamedTuple):
    """The probes of one fold that see the same features."""

    train: Tensor
    """(n,) int64 points."""
    test: Tensor
    """(m,) int64 points."""
    labels: Tensor
    """(V, n) int64 languages to be told."""
    offset: Tensor
    """(K, D) float64 of each language, subtracted first."""
    hits: Tensor
    """(V, S) whether each point is named rightly, to be written."""


@torch.no_grad()
def separability(
    sample: LayerSample,
    *,
    folds: int = 5,
    C: float = 1.0,  # noqa: N803  (the name that scikit-learn made known)
    max_iter: int = 5000,
    seed: int = 0,
) -> dict[str, Tensor]:
    """Predict language by multinomial logistic regression, cross-validated over folds of whole sentences.

    Features are standardised by the mean and standard deviation of the training folds; languages weigh equally. Each
    point is predicted once, by the probe that has not seen its sentence in any language.

    Args:
        sample: S points in K >= 2 languages, each with sentences in at least two folds.
        folds: Number of folds.
        C: Inverse strength of the L2 penalty, as in scikit-learn.
        max_iter: Iterations allowed to the solver; too few is an error.
        seed: Deals sentences into folds and shuffles the control's labels.

    Returns:
        separability: (K,) recall of each language.
        separability_control: 0-d mean recall of a probe trained on labels shuffled within the training folds: the null
            of a probe without information, near 1/K.
        selectivity: 0-d mean separability less the control's.
        separability_centred: (K,) recall once each language's mean is subtracted. The means come from the training
            folds; a held-out point has its true language's training mean subtracted. Equal class means leave a linear
            probe nothing (Belrose et al. 2023), so a mean above 1/K says that the solver failed, not that languages
            are apart; what is left beyond an offset is read by `knn_lid_centred`.

    Raises:
        ValueError: If there are too few languages or sentences, or the solver does not converge.
    """
    languages, language = sample.languages, sample.language
    generator = torch.Generator().manual_seed(seed)
    fold = sentence_folds(sample.sentence, folds, generator)
    x = sample.x
    hits = x.new_zeros(3, len(x), dtype=torch.float64)
    parts = []
    for number in range(folds):
        test, train = ((fold == number).nonzero().squeeze(1), (fold != number).nonzero().squeeze(1))
        label = language[train]
        shuffled = label[torch.randperm(len(label), generator=generator).to(label.device)]
        means = language_means(x, language, train, languages)
        parts.append(Part(train, test, torch.stack([label, shuffled]), torch.zeros_like(means), hits[:2]))
        parts.append(Part(train, test, label.unsqueeze(0), means, hits[2:]))
    some = max(1, TOGETHER // (x.numel() + x.shape[1] ** 2))
    for together in (parts[start : start + some] for start in range(0, len(parts), some)):
        made = [standardise(x, part.train, part.test, offset=part.offset, group=language) for part in together]
        fitted = fit_together(
            [x_train for x_train, _ in made],
            [part.labels for part in together],
            languages,
            C=C,
            weights=[_equal_weights(part.labels, languages) for part in together],
            max_iter=max_iter,
        )
        for part, (_, x_test), w in zip(together, made, fitted, strict=True):
            with full_precision(x.device):
                guess = (x_test @ w[:, :-1] + w[:, -1:]).argmax(2)
            part.hits[:, part.test] = (guess == language[part.test]).double()
    size = torch.bincount(language, minlength=languages)
    plain, control, centred = hits.new_zeros(3, languages).index_add_(1, language, hits) / size
    return {
        "separability": plain,
        "separability_control": control.mean(),
        "selectivity": plain.mean() - control.mean(),
        "separability_centred": centred,
    }


def _equal_weights(labels: Tensor, languages: int) -> Tensor:
    """Weights (V, n) by which all languages count alike; labellings hold the same languages."""
    return (labels.shape[1] / (languages * torch.bincount(labels[0], minlength=languages)))[labels]
