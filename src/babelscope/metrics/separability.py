"""Linear separability of languages: how well a linear probe tells the language of a sentence."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from babelscope.metrics.precision import full_precision
from babelscope.metrics.probes.folds import sentence_folds
from babelscope.metrics.probes.logistic import fit_together
from babelscope.metrics.probes.standardise import language_means, standardise
from babelscope.metrics.sample import LayerSample
from babelscope.metrics.together import measures_together

TOGETHER = 2**22
"""Numbers in the states and Hessians that are fitted together: smaller problems are mostly overhead; more numbers
would not fit into the cache."""


class Fit(NamedTuple):
    """Probes of one layer and fold that share their features."""

    x: Tensor
    """(S, D) float32 states of the layer."""
    train: Tensor
    """(n,) int64 points."""
    test: Tensor
    """(m,) int64 points."""
    labels: Tensor
    """(V, n) int64 languages to predict."""
    offset: Tensor
    """(K, D) float64 offset of each language, subtracted first."""
    hits: Tensor
    """(V, S) output: whether the language of each point is predicted correctly."""


@torch.no_grad()
def separability_of_layers(
    samples: Sequence[LayerSample],
    *,
    folds: int = 5,
    C: float = 1.0,  # noqa: N803  (the name that scikit-learn made known)
    max_iter: int = 5000,
    seed: int = 0,
) -> list[dict[str, Tensor]]:
    """Measure the `separability` of several layers of the same points; probes of small layers are fitted together."""
    languages, language, sentence = samples[0].n_languages, samples[0].language, samples[0].sentence
    generator = torch.Generator().manual_seed(seed)
    fold_of = sentence_folds(sentence, folds, generator)
    hits = samples[0].x.new_zeros(len(samples), 3, len(language), dtype=torch.float64)
    fits: list[Fit] = []
    for number in range(folds):
        test, train = ((fold_of == number).nonzero().squeeze(1), (fold_of != number).nonzero().squeeze(1))
        label = language[train]
        shuffled = label[torch.randperm(len(label), generator=generator).to(label.device)]
        for sample, hit in zip(samples, hits, strict=True):
            means = language_means(sample.x, language, train, languages)
            plain = Fit(sample.x, train, test, torch.stack([label, shuffled]), torch.zeros_like(means), hit[:2])
            fits += [plain, Fit(sample.x, train, test, label.unsqueeze(0), means, hit[2:])]
    x, longest = samples[0].x, max(len(fit.train) for fit in fits)
    for together in _evenly(fits, TOGETHER // (x.numel() + x.shape[1] ** 2)):
        made = [standardise(fit.x, fit.train, fit.test, offset=fit.offset, group=language) for fit in together]
        fitted = fit_together(
            [x_train for x_train, _ in made],
            [fit.labels for fit in together],
            languages,
            C=C,
            weights=[_equal_weights(fit.labels, languages) for fit in together],
            max_iter=max_iter,
            longest=longest,
        )
        for fit, (_, x_test), w in zip(together, made, fitted, strict=True):
            with full_precision(x.device):
                predicted = (x_test @ w[:, :-1] + w[:, -1:]).argmax(2)
            fit.hits[:, fit.test] = (predicted == language[fit.test]).double()
    size = torch.bincount(language, minlength=languages)
    recalls = [hit.new_zeros(3, languages).index_add_(1, language, hit) / size for hit in hits]
    return [
        {
            "separability": plain,
            "separability_control": control.mean(),
            "selectivity": plain.mean() - control.mean(),
            "separability_centred": centred,
        }
        for plain, control, centred in recalls
    ]


@measures_together(separability_of_layers)
def separability(
    sample: LayerSample,
    *,
    folds: int = 5,
    C: float = 1.0,  # noqa: N803
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
        separability_centred: (K,) recall after each language's mean over the training folds is subtracted; for a
            held-out point, the mean of its true language. Equal class means leave a linear probe nothing (Belrose et
            al. 2023), so a mean above 1/K says that the solver failed, not that languages are apart. What remains
            beyond an offset is measured by `knn_lid_centred`.

    Raises:
        ValueError: if there are too few languages or sentences, or the solver does not converge.
    """
    [found] = separability_of_layers([sample], folds=folds, C=C, max_iter=max_iter, seed=seed)
    return found


def _evenly(fits: Sequence[Fit], most: int) -> Iterator[Sequence[Fit]]:
    """Split into parts of at most `most`, or 1; nearly equal, since one left alone would be fitted another way."""
    parts = -(-len(fits) // max(1, most))
    bounds = [len(fits) * part // parts for part in range(parts + 1)]
    return (fits[start:end] for start, end in pairwise(bounds))


def _equal_weights(labels: Tensor, languages: int) -> Tensor:
    """Return weights (V, n) that give all languages equal weight; each labelling contains the same labels."""
    return (labels.shape[1] / (languages * torch.bincount(labels[0], minlength=languages)))[labels]
