"""What activations of FFN neurons share within languages and between translations, and which neurons are a language's.

Layers are read one at a time and in slices of neurons, twice: for the norms of whole vectors, then for all the rest.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import TypeVar

import torch
from torch import Tensor

from babelscope.analyses.neurons.pair_rows import language_pair_rows, legacy_row, null_rows, pair_rows
from babelscope.analyses.neurons.region_rows import kept_rows, region_rows
from babelscope.analyses.neurons.scores import check_threshold, neuron_scores, z_scores
from babelscope.analyses.regions import Regions, z_regions
from babelscope.analyses.rows import Rows
from babelscope.metrics.pairs.cosine_sums import CosineSums, cosine_sums_by, squared_norms
from babelscope.metrics.pairs.legacy_sads import legacy_order
from babelscope.metrics.pairs.nulls import Relabelling, all_cosines, rescale
from babelscope.states.embed import Pooled
from babelscope.states.progress import Progress
from babelscope.states.slices import slices

Addend = TypeVar("Addend", CosineSums, Tensor)
WHOLE = ""
"""Layer of the rows about all blocks together."""
POINTS = 4096
"""Relabelled points, at most: their cosines take 128 MiB, however many sentences there are."""


@dataclass(frozen=True)
class NeuronStudy:
    """What was found, as rows, and the z-scores (K, F) of every block, where they were asked for."""

    rows: Rows
    z: Mapping[str, Tensor]
    chance: Mapping[str, Tensor]
    """The same once the languages of every sentence are shuffled; empty without permutations."""


@dataclass(frozen=True)
class Sums:
    """What is added up over slices of neurons, of one layer or of the whole model; None where nothing was added."""

    pairs: CosineSums | None = None
    legacy: CosineSums | None = None
    """Of points in the order of S3's released code."""
    cosines: Tensor | None = None
    """(S, S) of the points that are relabelled."""

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(
            _plus(self.pairs, other.pairs), _plus(self.legacy, other.legacy), _plus(self.cosines, other.cosines)
        )


def _plus(one: Addend | None, other: Addend | None) -> Addend | None:
    if one is None or other is None:
        return other if one is None else one
    return one + other


def _rows(sums: Sums, layer: str, languages: Sequence[str], relabelling: Relabelling | None) -> Rows:
    rows: Rows = []
    if sums.pairs is not None:
        rows += pair_rows(layer, sums.pairs, languages)
    if sums.cosines is not None and relabelling is not None:
        rows += null_rows(layer, sums.cosines, relabelling)
    if sums.legacy is not None:
        rows.append(legacy_row(layer, sums.legacy))
    if sums.pairs is not None and layer == WHOLE:
        rows += language_pair_rows(layer, sums.pairs, languages)
    return rows


def study_neurons(
    pooled: Pooled,
    *,
    z: bool = True,
    permutations: int = 20,
    legacy: bool = False,
    seed: int = 0,
    progress: Progress[str] = iter,
) -> NeuronStudy:
    """Measure LRDS and SADS of the whole model and of every block, and the z-scores of all neurons.

    Args:
        pooled: Activations of the neurons of blocks "1" to "L", one vector per sentence.
        z: Whether to score single neurons.
        permutations: Relabellings that say what chance gives; 0 for none. They are of as many sentences as make 4,096
            points.
        legacy: Also SADS in the order of S3's released code.
        seed: Of the relabellings.
        progress: Wraps the blocks, for a progress bar.

    Returns:
        Rows `lrds` and `sads`, per language and as their mean; `_low` and `_high` of 95 % intervals over sentences;
        `_null_low` and `_null_high`, the range of the relabellings; and, of the whole model, `sads` per language pair.

    Raises:
        ValueError: if there are fewer than 2 languages or 3 sentences, or `permutations` is negative.
    """
    languages, layers = pooled.languages, list(pooled.layers)
    norms = {layer: reduce(add, map(squared_norms, _slices(pooled, layer))).sqrt() for layer in layers}
    norm = reduce(add, (own.square() for own in norms.values())).sqrt()
    n_relabelled = max(2, min(len(pooled.ids), POINTS // len(languages)))
    relabelling = Relabelling.draw(len(languages), n_relabelled, permutations, seed) if permutations else None
    rows: Rows = []
    shuffled = _shuffle(len(languages), len(pooled.ids), seed) if z and permutations else None
    scores: dict[str, Tensor] = {}
    chance: dict[str, Tensor] = {}
    whole = Sums()
    for layer in progress(layers):
        own = Sums()
        parts, random = [], []
        for x in _slices(pooled, layer):
            by_own, by_whole = cosine_sums_by(x, norms[layer], norm)
            own, whole = own + Sums(by_own), whole + Sums(by_whole)
            if legacy:
                by_own, by_whole = cosine_sums_by(*map(legacy_order, (x, norms[layer], norm)))
                own, whole = own + Sums(legacy=by_own), whole + Sums(legacy=by_whole)
            if relabelling is not None:
                own += Sums(cosines=all_cosines(x[:, :n_relabelled], norms[layer][:, :n_relabelled]))
            if z:
                parts.append(z_scores(neuron_scores(x, norm)))
            if shuffled is not None:
                random.append(z_scores(neuron_scores(x[shuffled], norm[shuffled])))
        if own.cosines is not None:
            cosines = rescale(own.cosines, norms[layer][:, :n_relabelled], norm[:, :n_relabelled])
            whole += Sums(cosines=cosines)
        rows += _rows(own, layer, languages, relabelling)
        scores |= {layer: torch.cat(parts, dim=1)} if parts else {}
        chance |= {layer: torch.cat(random, dim=1)} if random else {}
    rows += _rows(whole, WHOLE, languages, relabelling)
    return NeuronStudy(rows, scores, chance)


def score_activations(
    pooled: Pooled, start: Mapping[str, Tensor] | None, *, threshold: float = 2.0, reading: str = "down_input"
) -> tuple[Rows, Mapping[str, Tensor]]:
    """Do what `NeuronScores` asks for at each measurement: LRDS, SADS, key neurons, and how many are kept since step 0.

    Args:
        pooled: Activations of the neurons of blocks "1" to "L", one vector per sentence.
        start: Key neurons (L, F) of every language at step 0; None at step 0.
        threshold: A language's key neurons have a z-score above it.
        reading: What the activations are of.

    Returns:
        Rows, and the key neurons (L, F) of every language now.

    Raises:
        ValueError: if there are fewer than 2 languages or 3 sentences, or no z can exceed the threshold.
    """
    check_threshold(threshold, len(pooled.languages))
    study = study_neurons(pooled, permutations=0)
    now = z_regions(study.z.items(), pooled.languages, threshold=threshold, reading=reading)
    rows = study.rows + region_rows(now)
    if start is not None:
        rows += kept_rows(now, Regions(start, now.criterion, reading))
    return with_reading(rows, reading), now.masks


def with_reading(rows: Rows, *readings: str) -> Rows:
    """Say in every row's metric where neurons were read, as "down_input/lrds", or "down_input+gate/..." for two."""
    prefix = "+".join(dict.fromkeys(filter(None, readings)))
    return [{**row, "metric": f"{prefix}/{row['metric']}"} for row in rows] if prefix else rows


def _shuffle(languages: int, sentences: int, seed: int) -> tuple[Tensor, Tensor]:
    """Draw which language's point takes the place of each in every sentence: an index of (K, n, ...)."""
    order = torch.rand(languages, sentences, generator=torch.Generator().manual_seed(seed)).argsort(0)
    return order, torch.arange(sentences).expand(languages, sentences)


def _slices(pooled: Pooled, layer: str) -> Iterator[Tensor]:
    """Yield the activations of a block as (K, n, F_b)."""
    for x in slices(pooled.layers, layer):
        yield x.view(len(pooled.languages), len(pooled.ids), -1)
