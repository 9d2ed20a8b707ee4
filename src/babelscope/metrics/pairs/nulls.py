"""LRDS and SADS after labels are shuffled: languages within each sentence, sentences within each language.

The cosines within a group add up to |sum of h over the group|^2, but that takes a pass over all neurons for every
shuffle. The cosines of all points, which are additive over columns too, take one pass and serve any number of shuffles.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from babelscope.metrics.pairs.cosine_sums import check_points, directions, rescaling
from babelscope.metrics.precision import full_precision

POINTS = 2**13
"""Most points; their cosines then take 512 MiB."""
COLUMNS = 4096


@torch.no_grad()
def all_cosines(x: Tensor, norm: Tensor) -> Tensor:
    """Return the float64 cosines (S, S) of all S = K n points, language by language; results of columns can be added.

    Args:
        x: (K, n, F) float32 or float64 columns; products run in this type.
        norm: (K, n) float64 norms of the whole vectors.

    Raises:
        ValueError: if there are fewer than 2 languages or sentences, too many points, or the shapes do not fit.
    """
    check_points(x, norm)
    points = norm.numel()
    if points > POINTS:
        raise ValueError(
            f"Expected at most {POINTS} points, sentences times languages, for shuffled labels, but got {points}; take "
            f"fewer sentences, or no permutations"
        )
    cosines = norm.new_zeros(points, points)
    with full_precision(x.device):
        for part in x.split(COLUMNS, dim=2):
            h = directions(part, norm).flatten(0, 1)
            cosines += h @ h.T
    return cosines


def rescale(cosines: Tensor, norm: Tensor, whole: Tensor) -> Tensor:
    """Convert cosines (S, S) by the norms (K, n) of a layer into the layer's part of the cosines by the whole norms."""
    factor = rescaling(norm, whole).flatten()
    return cosines * factor * factor.unsqueeze(1)


@dataclass(frozen=True)
class Relabelling:
    """P shuffles of the labels of n sentences in K languages; build them with `draw`."""

    languages: Tensor
    """(P, K, n) int64 point that takes the place of each language in each sentence."""
    sentences: Tensor
    """(P, n, K) int64 point that takes the place of each sentence in each language."""

    @classmethod
    def draw(cls, languages: int, sentences: int, permutations: int, seed: int) -> "Relabelling":
        """Draw uniform permutations: of the K languages in every sentence, and of the n sentences in every language.

        Raises:
            ValueError: if no permutation is asked for.
        """
        if permutations < 1:
            raise ValueError(
                f"Expected argument `permutations` to be at least 1, but got {permutations}; 100 or more are usual"
            )
        generator = torch.Generator().manual_seed(seed)
        language = torch.rand(permutations, languages, sentences, generator=generator).argsort(1)
        sentence = torch.rand(permutations, sentences, languages, generator=generator).argsort(1)
        return cls(language * sentences + torch.arange(sentences), torch.arange(languages) * sentences + sentence)

    def lrds(self, cosines: Tensor) -> Tensor:
        """Return LRDS (P,) for every shuffle of the languages within each sentence.

        Args:
            cosines: (S, S) from `all_cosines`, of the whole vectors.
        """
        _, languages, sentences = self.languages.shape
        blocks = cosines.view(languages, sentences, languages, sentences)
        different = cosines.sum() - blocks.diagonal(dim1=1, dim2=3).sum()
        inside = _sum_inside(cosines, self.languages)
        pairs = languages * sentences * (sentences - 1)
        return inside / pairs - (different - inside) / (pairs * (languages - 1))

    def sads(self, cosines: Tensor) -> Tensor:
        """Return SADS (P,) for every shuffle of the sentences within each language.

        Args:
            cosines: (S, S) from `all_cosines`, of the whole vectors.
        """
        _, sentences, languages = self.sentences.shape
        blocks = cosines.view(languages, sentences, languages, sentences)
        between = cosines.sum() - blocks.diagonal(dim1=0, dim2=2).sum()
        inside = _sum_inside(cosines, self.sentences)
        pairs = languages * (languages - 1) * sentences
        return inside / pairs - (between - inside) / (pairs * (sentences - 1))


def _sum_inside(cosines: Tensor, groups: Tensor) -> Tensor:
    """Sum, for each shuffle (P,), the cosines of distinct points in a group; groups (P, G, M) hold each point once."""
    groups = groups.to(cosines.device)
    sums = [cosines[group.unsqueeze(2), group.unsqueeze(1)].sum() for group in groups]
    return torch.stack(sums) - cosines.trace()
