"""Sentences aligned over languages, and scores of language pairs reduced to one value per language."""

from collections.abc import Callable

import torch
from torch import Tensor

from babelscope.metrics.sample import LayerSample


def align_sentences(sample: LayerSample) -> Tensor:
    """Return the states (K, n, D) of n sentences that every language has, in order of sentence number.

    Points that are already in this order, such as the points of `Pooled.samples`, are not copied.

    Raises:
        ValueError: if there is only one language, or a language lacks a sentence of another or has it twice.
    """
    languages, points = sample.n_languages, len(sample.x)
    if languages < 2:
        raise ValueError(
            f"Expected at least 2 languages for a score between languages, but got {languages}; add languages"
        )
    order = sample.sentence.argsort(stable=True)
    order = order[sample.language[order].argsort(stable=True)]
    sizes = torch.bincount(sample.language, minlength=languages)
    for language, sentences in enumerate(sample.sentence[order].split(sizes.tolist())):
        if language == 0:
            first = sentences
        if len(sentences) != len(first) or bool((sentences != first).any()) or bool((sentences.diff() == 0).any()):
            raise ValueError(
                f"Expected the same sentences, once each, in every language, but those of {sample.name(language)} "
                f"({len(sentences)}) are not those of {sample.name(0)} ({len(first)}) once each; use an aligned corpus "
                f"such as corpus=sib200, or leave out the metrics that compare translations"
            )
    in_order = torch.equal(order, torch.arange(points, device=order.device))
    return (sample.x if in_order else sample.x[order]).view(languages, -1, sample.x.shape[1])


def find_pivot(sample: LayerSample, pivot: str | None) -> int | None:
    """Return the index of the pivot, with which the others are compared; None means each language in turn.

    Raises:
        ValueError: if the pivot is not one of the sample's languages.
    """
    names = [sample.name(language) for language in range(sample.n_languages)]
    if pivot is not None and pivot not in names:
        listed = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
        raise ValueError(
            f"Expected argument `pivot` to be one of the languages, but got {pivot!r} with {listed}; choose one of "
            f"them, add the pivot to the languages, or take null for the mean over all pivots"
        )
    return None if pivot is None else names.index(pivot)


def language_pairs(languages: int, pivot: int | None) -> list[tuple[int, int]]:
    """List the language pairs to compare: the pivot with every other language, or all pairs."""
    if pivot is not None:
        return [(pivot, other) for other in range(languages) if other != pivot]
    return [(one, other) for one in range(languages) for other in range(one + 1, languages)]


def symmetric_scores(languages: int, pivot: int | None, compare: Callable[[int, int], Tensor]) -> Tensor:
    """Compare language pairs by a symmetric score (0-d float64 of two language indices), and reduce to (K,)."""
    scores = {pair: compare(*pair) for pair in language_pairs(languages, pivot)}
    values = torch.stack([*scores.values()])
    table = values.new_zeros(languages, languages)
    one, other = torch.tensor([*scores], device=table.device).T
    table[one, other] = table[other, one] = values
    return per_language(table, pivot)


def per_language(values: Tensor, pivot: int | None) -> Tensor:
    """Reduce values (K, K) of pairs (from row to column) to (K,).

    With a pivot, a language gets the value from the pivot to it, and the pivot gets the mean over the others, so that
    the mean over languages equals the mean over non-pivots. Without a pivot, a language gets its mean over all other
    languages as pivots.
    """
    others = ~torch.eye(len(values), dtype=torch.bool, device=values.device)
    if pivot is None:
        return torch.where(others, values, 0.0).sum(0) / (len(values) - 1)
    result = values[pivot].clone()
    result[pivot] = values[pivot][others[pivot]].mean()
    return result
