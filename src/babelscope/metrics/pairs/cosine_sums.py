"""Sums of cosines between the sentences of K languages, from which means over any pairs follow; no pair is visited.

Let h = x / |x| (0 for a zero vector), and h_ls the vector of sentence s in language l. The sums are additive over
columns, so slices of a layer and layers of a model can be measured one at a time, each divided by the norm of the whole
vector.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from babelscope.metrics.parallel import align_sentences
from babelscope.metrics.precision import full_precision
from babelscope.metrics.sample import LayerSample

COLUMNS = 512
"""Columns processed at a time, to stay in cache; their sums, in the type of x, are then added in float64."""


@dataclass(frozen=True)
class PairMeans:
    """Mean cosines of sentences in one language (rows) and another (columns)."""

    different: Tensor
    """(..., K, K) mean over all pairs of different sentences."""
    translations: Tensor
    """(..., K, K) mean over all sentences with their translations; 1 on the diagonal, unless there are zero vectors."""


@dataclass(frozen=True)
class CosineSums:
    """Sums of cosines of n sentences in K languages; sums of disjoint columns can be added."""

    total: Tensor
    """(K, n, K) float64 sum over t of <h_ls, h_mt> at [l, s, m]."""
    same: Tensor
    """(n, K, K) float64 <h_ls, h_ms> at [s, l, m]."""

    def __add__(self, other: "CosineSums") -> "CosineSums":
        return CosineSums(self.total + other.total, self.same + other.same)

    @property
    def means(self) -> PairMeans:
        """Mean cosines (K, K) over all sentences."""
        n = len(self.same)
        different = self.total.sum(1) - self.same.sum(0)
        return PairMeans(different / (n * (n - 1)), self.same.mean(0))

    def leave_one_out(self) -> PairMeans:
        """Return the mean cosines (n, K, K) with each sentence left out in turn; needs n >= 3."""
        n = len(self.same)
        from_one = self.total.transpose(0, 1)
        involved = from_one + from_one.transpose(1, 2) - 2 * self.same
        different = self.total.sum(1) - self.same.sum(0) - involved
        translations = self.same.sum(0) - self.same
        return PairMeans(different / ((n - 1) * (n - 2)), translations / (n - 1))


def squared_norms(x: Tensor) -> Tensor:
    """Return the float64 squared norms (K, n) of x (K, n, F); squared norms of disjoint columns can be added."""
    norms = x.new_zeros(x.shape[:2], dtype=torch.float64)
    for part in x.split(COLUMNS, dim=2):
        norms += torch.linalg.vector_norm(part, dim=2, dtype=torch.float64).square()
    return norms


def directions(x: Tensor, norm: Tensor) -> Tensor:
    """Divide x (K, n, F) by the norms (K, n) of the whole vectors; a zero vector stays zero."""
    return x / torch.where(norm > 0, norm, 1.0).unsqueeze(2).to(x.dtype)


def rescaling(norm: Tensor, whole: Tensor) -> Tensor:
    """Return the factor (K, n) that converts directions by `norm` into directions by `whole`; 0 for a zero vector."""
    return norm / torch.where(whole > 0, whole, 1.0)


def cosine_sums(x: Tensor, norm: Tensor) -> CosineSums:
    """Sum the cosines of vectors, given some of their columns.

    Args:
        x: (K, n, F) float32 or float64 columns of n sentences in K languages, translations at the same place; products
            run in this type.
        norm: (K, n) float64 norms over all columns of the vectors.

    Raises:
        ValueError: if there are fewer than 2 languages or sentences, or the shapes do not fit.
    """
    return cosine_sums_by(x, norm)[0]


@torch.no_grad()
def cosine_sums_by(x: Tensor, *norms: Tensor) -> list[CosineSums]:
    """Sum the cosines as `cosine_sums` does, for several norms in one pass, such as the layer's and the model's.

    A further norm costs hardly anything, because it reuses the products with the directions by the first norm.
    """
    for norm in norms:
        check_points(x, norm)
    languages, sentences, _ = x.shape
    factors = [rescaling(norms[0], norm) for norm in norms]
    weights = torch.stack(factors, dim=1).to(x.dtype)
    total = norms[0].new_zeros(languages * sentences, languages * len(norms))
    same = norms[0].new_zeros(sentences, languages, languages)
    with full_precision(x.device):
        for part in x.split(COLUMNS, dim=2):
            h = directions(part, norms[0])
            total += h.flatten(0, 1) @ (weights @ h).flatten(0, 1).T
            same += h.transpose(0, 1) @ h.permute(1, 2, 0)
    by_norm = total.view(languages, sentences, languages, len(norms)).unbind(3)
    return [
        CosineSums(total * own.unsqueeze(2), same * own.T.unsqueeze(1) * own.T.unsqueeze(2))
        for total, own in zip(by_norm, factors, strict=True)
    ]


def sample_sums(sample: LayerSample) -> CosineSums:
    """Sum the cosines of one layer's aligned sentences in float64.

    Raises:
        ValueError: if there are fewer than 2 languages or sentences, or sentences are not aligned.
    """
    x = align_sentences(sample)
    norm = squared_norms(x).sqrt()
    first, *rest = (cosine_sums(part.double(), norm) for part in x.split(COLUMNS, dim=2))
    return sum(rest, start=first)


def check_points(x: Tensor, norm: Tensor) -> None:
    """Refuse columns x that do not hold sentences in several languages, or norms that do not fit them.

    Raises:
        ValueError: if there are fewer than 2 languages or sentences, or the shapes do not fit.
    """
    if x.ndim != 3 or min(x.shape[:2]) < 2:
        raise ValueError(
            f"Expected argument `x` to hold at least 2 languages and 2 sentences, shape (K, n, F), but got shape "
            f"{tuple(x.shape)}; add languages or sentences"
        )
    if norm.shape != x.shape[:2] or norm.dtype != torch.float64:
        raise ValueError(
            f"Expected argument `norm` to be float64 of shape {tuple(x.shape[:2])}, but got {norm.dtype} of shape "
            f"{tuple(norm.shape)}; give squared_norms(...).sqrt() over all columns"
        )
