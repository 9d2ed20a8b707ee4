"""How well a linear probe tells the script of a token from its row of the table (S1, figure 3)."""

import numpy as np
import torch
from sklearn.model_selection import StratifiedKFold
from torch import Tensor

from babelscope.analyses.rows import Rows
from babelscope.analyses.tokens.token_rows import TokenRows, tidy
from babelscope.metrics.point_spread import covariance
from babelscope.metrics.probes.cross_val_predict import cross_val_predict
from babelscope.metrics.student import t_quantile


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

    A draw under-samples the larger side to the smaller. Folds are scikit-learn's, stratified in order of id, the
    regression has its defaults, and the score is the mean accuracy of the folds. S1 makes one draw and has no control;
    limit=None and draws=1 are its protocol.

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
        script_probe (accuracy), script_probe_low and _high (interval, cut at 0 and 1, which no accuracy passes),
        script_probe_random (a Gaussian table in place of this one), script_probe_shuffled (labels shuffled),
        script_probe_tokens (tokens per side), and script_multiclass (recall of one probe over all scripts, equally many
        tokens of each), script_multiclass_random, script_multiclass_shuffled.

    Raises:
        ValueError: if fewer than two scripts have the minimum of tokens, or an argument does not fit.
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
            f"Expected at least two scripts with {minimum} tokens each, but got {len(large)}; lower probe.minimum (to "
            "no less than probe.folds), or leave the probe out with probe=null"
        )
    project = _projection(tokens, width)
    end = f"/pca{width}" if width else ""
    rows: Rows = []
    scores: dict[str, list[float]] = {}
    random: dict[int, float] = {}  # by tokens per side, on which alone it depends
    columns = tokens.table.shape[1] if project is None else project.shape[1]
    for code in large:
        mine, rest = tokens.ids[codes == code], tokens.ids[codes != code]
        side = min(len(mine), len(rest), limit or len(tokens.ids))
        accuracies = _balanced(
            tokens, mine, rest, side, draws=draws, folds=folds, max_iter=max_iter, project=project, seed=seed
        )
        if side not in random:
            label = torch.tensor([1, 0]).repeat_interleave(side)
            ((hits, fold),) = _probe(_noise((2 * side, columns), seed), label[None], folds, max_iter)
            random[side] = _fold_accuracy(hits, fold)
        accuracies["_random"] = [random[side]]
        values = {kind: float(np.mean(draws_of_kind)) for kind, draws_of_kind in accuracies.items()}
        if draws > 1:
            half = _half_interval(accuracies[""])
            values |= {"_low": max(values[""] - half, 0.0), "_high": min(values[""] + half, 1.0)}
        values["_tokens"] = side
        name = tokens.scripts[code]
        rows += [tidy(f"script_probe{kind}{end}", value, name) for kind, value in values.items()]
        for kind, value in values.items():
            scores.setdefault(kind, []).append(value)
    means = ("", "_random", "_shuffled")
    rows += [tidy(f"script_probe{kind}{end}", float(np.mean(scores[kind]))) for kind in means]
    side = min([limit or max(sizes), *(sizes[code] for code in large)])
    classes = [(tokens.scripts[code], tokens.ids[codes == code]) for code in large]
    return rows + _multiclass(
        tokens, classes, side, folds=folds, max_iter=max_iter, project=project, seed=seed, end=end
    )


def _balanced(
    tokens: TokenRows,
    mine: Tensor,
    rest: Tensor,
    side: int,
    *,
    draws: int,
    folds: int,
    max_iter: int,
    project: Tensor | None,
    seed: int,
) -> dict[str, list[float]]:
    """Tell one script's tokens (n,) from the rest (m,), `side` of each: the accuracy of every draw, and the control."""
    generator = torch.Generator().manual_seed(seed)
    accuracies: dict[str, list[float]] = {"": [], "_shuffled": []}
    for draw in range(draws):
        drawn = torch.cat([_draw(mine, side, generator), _draw(rest, side, generator)])
        label = torch.tensor([1, 0]).repeat_interleave(side)
        x = _features(tokens, drawn, project)
        # Controls do not depend on the draw of tokens; one suffices.
        labels = label[None] if draw else _with_shuffled(label, generator)
        for kind, (hits, fold) in zip(("", "_shuffled"), _probe(x, labels, folds, max_iter), strict=False):
            accuracies[kind].append(_fold_accuracy(hits, fold))
    return accuracies


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
    label = torch.arange(len(classes)).repeat_interleave(side)
    (hits, _), (shuffled, _) = _probe(x, _with_shuffled(label, generator), folds, max_iter)
    ((random, _),) = _probe(_noise((len(x), x.shape[1]), seed), label[None], folds, max_iter)
    return [
        tidy(f"script_multiclass{end}", float(hits.mean())),
        *(
            tidy(f"script_multiclass{end}", float(hits[label == place].mean()), name)
            for place, (name, _) in enumerate(classes)
        ),
        tidy(f"script_multiclass_random{end}", float(random.mean())),
        tidy(f"script_multiclass_shuffled{end}", float(shuffled.mean())),
    ]


def _with_shuffled(label: Tensor, generator: torch.Generator) -> Tensor:
    """(2, n) labels, and the same in another order."""
    return torch.stack([label, label[torch.randperm(len(label), generator=generator)]])


def _noise(shape: tuple[int, int], seed: int) -> Tensor:
    """Directions of a Gaussian table in place of this one."""
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(noise, dim=1)


def _draw(ids: Tensor, count: int, generator: torch.Generator) -> Tensor:
    return ids[torch.randperm(len(ids), generator=generator)[:count]].sort().values


def _features(tokens: TokenRows, ids: Tensor, project: Tensor | None) -> Tensor:
    x = tokens.unit(ids)
    return x if project is None else torch.nn.functional.normalize(x @ project, dim=1)


def _projection(tokens: TokenRows, width: int | None) -> Tensor | None:
    """(D, width) principal directions of the unit rows in use."""
    if width is None:
        return None
    if not 1 <= width <= tokens.table.shape[1]:
        raise ValueError(
            f"Expected argument `width` to be from 1 to the table's {tokens.table.shape[1]} columns, but got {width}; "
            f"take the smallest of the tables"
        )
    mean = torch.stack([tokens.unit(chunk).double().sum(0) for chunk in tokens.ids.split(4096)]).sum(0) / len(
        tokens.ids
    )
    vectors = torch.linalg.eigh(covariance(tokens.table, tokens.ids, mean, unit=True)).eigenvectors
    return vectors[:, -width:].flip(1).float()


def _probe(x: Tensor, labels: Tensor, folds: int, max_iter: int) -> list[tuple[Tensor, Tensor]]:
    """For each labelling (V, n), whether the probe that has not seen a point is right about it, and its fold (n,)."""
    results = []
    for label in labels:
        fold = _stratify(label, folds)
        predicted = cross_val_predict(x, label, fold, int(label.max()) + 1, max_iter=max_iter)
        results.append(((predicted == label).double(), fold))
    return results


def _stratify(label: Tensor, folds: int) -> Tensor:
    fold = torch.empty_like(label)
    for number, (_, test) in enumerate(StratifiedKFold(folds).split(label, label)):
        fold[torch.from_numpy(test)] = number
    return fold


def _fold_accuracy(hits: Tensor, fold: Tensor) -> float:
    """Mean accuracy of the folds, which differ in size by at most a point or two."""
    return float(torch.stack([hits[fold == number].mean() for number in fold.unique()]).mean())


def _half_interval(values: list[float]) -> float:
    """Half the 95 % interval of a mean of few draws, by Student's t."""
    return float(t_quantile(len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5)
