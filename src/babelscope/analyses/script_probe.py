"""How well a linear probe tells the script of a token from its row of the table (S1, figure 3)."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from torch import Tensor

from babelscope.analyses.token_rows import TokenRows, tidy
from babelscope.metrics.isotropy import covariance

Rows = list[dict[str, Any]]


@torch.no_grad()
def script_probe(
    tokens: TokenRows,
    *,
    folds: int = 10,
    minimum: int = 500,
    limit: int | None = 5000,
    draws: int = 3,
    width: int | None = None,
    max_iter: int = 1000,
    seed: int = 150,
) -> Rows:
    """Tell each script from the rest by logistic regression on unit rows, balanced and cross-validated, as S1 does.

    A draw under-samples the larger side to the smaller. Folds are stratified in order of id, the regression is
    scikit-learn's with its defaults, and the score is the mean accuracy of the folds. S1 makes one draw and has no
    control; limit=None and draws=1 are its protocol.

    Args:
        tokens: Tokens in use with their scripts.
        folds: Folds of the cross-validation.
        minimum: Scripts with fewer tokens are skipped.
        limit: Most tokens drawn per side, which bounds memory; None for all.
        draws: Balanced samples drawn; from 2 on with a 95 % interval of their mean.
        width: Principal components kept of the unit rows, to compare tables of different width; None for all columns.
        max_iter: Iterations allowed to the solver.
        seed: Of draws and controls.

    Returns:
        Rows, with "/pcaWIDTH" after the name if a width is given, language = script, or empty for the unweighted mean:
        script_probe (accuracy), script_probe_low and _high (interval), script_probe_random (a Gaussian table in place
        of this one), script_probe_shuffled (labels shuffled), script_probe_tokens (tokens per side), and
        script_multiclass (recall of one probe over all scripts, equally many tokens of each), script_multiclass_random,
        script_multiclass_shuffled.

    Raises:
        ValueError: If fewer than two scripts have the minimum of tokens, or an argument does not fit.
    """
    if folds < 2 or minimum < folds or draws < 1 or (limit is not None and limit < folds):
        raise ValueError(
            f"Expected arguments `folds` >= 2, `draws` >= 1 and `minimum`, `limit` >= folds, but got folds={folds}, "
            f"draws={draws}, minimum={minimum}, limit={limit}; raise them"
        )
    codes = tokens.codes[tokens.ids]
    sizes = torch.bincount(codes).tolist()
    large = [code for code, size in enumerate(sizes) if size >= minimum]
    if len(large) < 2:
        raise ValueError(
            f"Expected at least two scripts with {minimum} tokens each, but got {len(large)}; lower minimum"
        )
    project = _projection(tokens, width)
    end = f"/pca{width}" if width else ""
    rows: Rows = []
    scores: dict[str, list[float]] = {}
    for code in large:
        mine, rest = tokens.ids[codes == code], tokens.ids[codes != code]
        side = min(len(mine), len(rest), limit or len(tokens.ids))
        if side < folds:
            continue
        generator = torch.Generator().manual_seed(seed)
        found: dict[str, list[float]] = {"": [], "_random": [], "_shuffled": []}
        for draw in range(draws):
            drawn = torch.cat([_draw(mine, side, generator), _draw(rest, side, generator)])
            label = np.repeat([1, 0], side)
            x = _features(tokens, drawn, project)
            # Controls do not depend on the draw of tokens; one suffices.
            variants = _variants(x, label, generator) if draw == 0 else iter([("", x, label)])
            for kind, features, target in variants:
                guess = _guesses(features, target, folds, max_iter)
                found[kind].append(_fold_accuracy(guess, target, folds))
        values = {kind: float(np.mean(some)) for kind, some in found.items()}
        if draws > 1:
            half = _half_interval(found[""])
            values |= {"_low": values[""] - half, "_high": values[""] + half}
        values["_tokens"] = side
        name = tokens.names[code]
        rows += [tidy(f"script_probe{kind}{end}", value, name) for kind, value in values.items()]
        for kind, value in values.items():
            scores.setdefault(kind, []).append(value)
    means = ("", "_random", "_shuffled")
    rows += [tidy(f"script_probe{kind}{end}", float(np.mean(scores[kind]))) for kind in means if kind in scores]
    side = min([limit or max(sizes), *(sizes[code] for code in large)])
    classes = [(tokens.names[code], tokens.ids[codes == code]) for code in large]
    return rows + _multiclass(
        tokens, classes, side, folds=folds, max_iter=max_iter, project=project, seed=seed, end=end
    )


def _multiclass(
    tokens: TokenRows,
    classes: list[tuple[str, Tensor]],
    side: int,
    *,
    folds: int,
    max_iter: int,
    project: Tensor | None,
    seed: int,
    end: str,
) -> Rows:
    generator = torch.Generator().manual_seed(seed)
    x = _features(tokens, torch.cat([_draw(ids, side, generator) for _, ids in classes]), project)
    label = np.repeat(np.arange(len(classes)), side)
    rows: Rows = []
    for kind, features, target in _variants(x, label, generator):
        hits = _guesses(features, target, folds, max_iter) == target
        rows.append(tidy(f"script_multiclass{kind}{end}", float(hits.mean())))
        if not kind:
            rows += [
                tidy(f"script_multiclass{end}", float(hits[target == place].mean()), name)
                for place, (name, _) in enumerate(classes)
            ]
    return rows


def _variants(
    x: np.ndarray, label: np.ndarray, generator: torch.Generator
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Yield the features and labels themselves, then a random table, then shuffled labels."""
    yield "", x, label
    noise = torch.randn(x.shape, generator=generator)
    yield "_random", torch.nn.functional.normalize(noise, dim=1).numpy(), label
    yield "_shuffled", x, label[torch.randperm(len(label), generator=generator).numpy()]


def _draw(ids: Tensor, count: int, generator: torch.Generator) -> Tensor:
    return ids[torch.randperm(len(ids), generator=generator)[:count]].sort().values


def _features(tokens: TokenRows, ids: Tensor, project: Tensor | None) -> np.ndarray:
    x = tokens.unit(ids)
    return (x if project is None else torch.nn.functional.normalize(x @ project, dim=1)).numpy()


def _projection(tokens: TokenRows, width: int | None) -> Tensor | None:
    """(D, width) principal directions of the unit rows in use."""
    if width is None:
        return None
    if not 1 <= width <= tokens.table.shape[1]:
        raise ValueError(
            f"Expected argument `width` to be from 1 to the table's {tokens.table.shape[1]} columns, but got {width}; "
            f"take the smallest of the tables"
        )
    mean = torch.stack([tokens.unit(some).double().sum(0) for some in tokens.ids.split(4096)]).sum(0) / len(tokens.ids)
    vectors = torch.linalg.eigh(covariance(tokens.table, tokens.ids, mean, unit=True)).eigenvectors
    return vectors[:, -width:].flip(1).float()


def _guesses(x: np.ndarray, label: np.ndarray, folds: int, max_iter: int) -> np.ndarray:
    """Predict every point by the probe that has not seen it."""
    guess = np.empty_like(label)
    for train, test in StratifiedKFold(folds).split(x, label):
        guess[test] = LogisticRegression(max_iter=max_iter).fit(x[train], label[train]).predict(x[test])
    return guess


def _fold_accuracy(guess: np.ndarray, label: np.ndarray, folds: int) -> float:
    """Mean accuracy of the folds, which differ in size by at most a point or two."""
    hits = guess == label
    return float(np.mean([hits[test].mean() for _, test in StratifiedKFold(folds).split(label, label)]))


def _half_interval(values: list[float]) -> float:
    """Half the 95 % interval of a mean of few draws, by Student's t."""
    from scipy.stats import t

    return float(t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5)
