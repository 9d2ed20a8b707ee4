"""Linear separability of writing systems, one against the rest (Wen-Yi & Mimno 2023, on sentences)."""

import re
from statistics import fmean

import torch
from torch import Tensor
from torch.nn.functional import normalize

from babelscope.metrics.precision import full_precision
from babelscope.metrics.probes.folds import sentence_folds
from babelscope.metrics.probes.logistic import fit_logistic
from babelscope.metrics.sample import LayerSample

CODE = re.compile(r"[a-z]{2,8}_([A-Z][a-z]{3})")


def script_separability(
    sample: LayerSample,
    *,
    folds: int = 5,
    C: float = 1.0,  # noqa: N803  (the name that scikit-learn made known)
    minimum: int = 50,
    max_iter: int = 5000,
    seed: int = 0,
) -> dict[str, Tensor]:
    """Tell each writing system from the rest by binary logistic regression on balanced samples of unit-norm rows.

    The larger side is randomly under-sampled to the size of the smaller. Folds consist of whole sentences. The writing
    system is the suffix of the FLORES code, such as Latn.

    Args:
        sample: S points in languages with names.
        folds: Number of folds; 10 in the paper.
        C: Inverse strength of the L2 penalty, as in scikit-learn's binary regression.
        minimum: Writing systems with fewer points inside or outside them are skipped; 500 in the paper.
        max_iter: Iterations allowed to the solver; too few is an error.
        seed: Deals sentences into folds, draws the balanced samples and shuffles the control's labels.

    Returns:
        0-d accuracies: script_separability/Latn and so on for each writing system, script_separability for their mean,
        script_separability_control for the mean of probes trained on labels shuffled within the training folds.

    Raises:
        ValueError: if languages are not named by FLORES codes, or no writing system has `minimum` points.
    """
    scripts = _scripts(sample.languages)
    generator = torch.Generator().manual_seed(seed)
    fold = sentence_folds(sample.sentence, folds, generator)
    # float64, for the squares of large and small states are neither infinite nor 0 there
    x = normalize(sample.x.double(), dim=1, eps=torch.finfo(torch.float64).tiny).float()
    plain: dict[str, float] = {}
    control: list[float] = []
    for script in sorted(set(scripts)):
        inside = torch.tensor([own == script for own in scripts], device=x.device)[sample.language]
        chosen = _balance(inside, generator)
        if len(chosen) < 2 * minimum:
            continue
        plain[script], shuffled = _accuracies(
            x[chosen], inside[chosen].long(), fold[chosen], strength=C, max_iter=max_iter, generator=generator
        )
        control.append(shuffled)
    if not plain:
        raise ValueError(
            f"Expected a writing system with at least `minimum` points inside and outside it, but got "
            f"minimum={minimum} with {len(x)} points in {sorted(set(scripts))}; lower minimum or add sentences"
        )
    results = {f"script_separability/{script}": value for script, value in plain.items()}
    results["script_separability"] = fmean(plain.values())
    results["script_separability_control"] = fmean(control)
    return {key: torch.tensor(value, dtype=torch.float64) for key, value in results.items()}


def _scripts(languages: tuple[str, ...]) -> list[str]:
    matches = [CODE.fullmatch(language) for language in languages]
    if not languages or None in matches:
        wrong = next((code for code, match in zip(languages, matches, strict=True) if match is None), "no names")
        raise ValueError(
            f"Expected argument `languages` to hold FLORES codes such as eng_Latn, but got {wrong!r}; "
            f"name the languages of the sample or leave script_separability out of metrics"
        )
    return [match[1] for match in matches if match]


def _balance(inside: Tensor, generator: torch.Generator) -> Tensor:
    """Draw as many points inside as outside, taking all of the smaller side; indices are in ascending order."""
    sides = [side.nonzero().squeeze(1) for side in (inside, ~inside)]
    size = min(len(side) for side in sides)
    drawn = [side[torch.randperm(len(side), generator=generator)[:size].to(side.device)] for side in sides]
    return torch.cat(drawn).sort().values


def _accuracies(
    x: Tensor, label: Tensor, fold: Tensor, *, strength: float, max_iter: int, generator: torch.Generator
) -> tuple[float, float]:
    """Return the cross-validated accuracy of the probe and of its shuffled-label control."""
    hits = torch.zeros(2, dtype=torch.float64)
    for number in fold.unique().tolist():
        test = fold == number
        own = label[~test]
        shuffled = own[torch.randperm(len(own), generator=generator).to(own.device)]
        # Two softmax columns share the penalty of one sigmoid's vector, so half of C gives the same optimum.
        w = fit_logistic(x[~test], torch.stack([own, shuffled]), 2, C=strength / 2, max_iter=max_iter)
        with full_precision(x.device):
            predicted = (x[test] @ w[:, :-1] + w[:, -1:]).argmax(2)
        hits += (predicted == label[test]).sum(1).double().cpu()
    plain, control = (hits / len(label)).tolist()
    return plain, control
