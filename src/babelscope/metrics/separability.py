"""Linear separability of languages: how well a linear probe tells which language a sentence is in."""

import torch
from torch import Tensor

from babelscope.metrics.folds import sentence_folds
from babelscope.metrics.logistic import fit_logistic
from babelscope.metrics.sample import LayerSample


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
    x = sample.x.double()
    hits = x.new_zeros(3, len(x))
    for number in range(folds):
        test = fold == number
        label = language[~test]
        shuffled = label[torch.randperm(len(label), generator=generator).to(label.device)]
        labels = torch.stack([label, shuffled])
        size = torch.bincount(label, minlength=languages)
        weight = (len(label) / (languages * size))[labels]
        mean = x.new_zeros(languages, x.shape[1]).index_add_(0, label, x[~test]) / size.unsqueeze(1)
        for features, rows, kinds in ((x, hits[:2], labels), (x - mean[language], hits[2:], labels[:1])):
            x_train, x_test = _standardise(features, test)
            w = fit_logistic(x_train, kinds, languages, C=C, weight=weight[: len(kinds)], max_iter=max_iter)
            guess = (x_test @ w[:, :-1] + w[:, -1:]).argmax(2)
            rows[:, test] = (guess == language[test]).double()
    size = torch.bincount(language, minlength=languages)
    plain, control, centred = hits.new_zeros(3, languages).index_add_(1, language, hits) / size
    return {
        "separability": plain,
        "separability_control": control.mean(),
        "selectivity": plain.mean() - control.mean(),
        "separability_centred": centred,
    }


def _standardise(x: Tensor, test: Tensor) -> tuple[Tensor, Tensor]:
    """Split x (S, D) into float32 training and test features, in units of the training features' spread."""
    mean, spread = x[~test].mean(0), x[~test].std(0, correction=0)
    # What varies only by rounding is constant, and stays 0.
    spread = torch.where(spread > 1e-10 * mean.abs(), spread, torch.inf)
    z = ((x - mean) / spread).float()
    return z[~test], z[test]
