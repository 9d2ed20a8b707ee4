"""Centres of points that lie in tight groups, as the languages of many a last layer do, or in few dimensions."""

import torch
from torch import Tensor

SAMPLE = 1024
"""Points from which groups are told at most, and a quarter of few points."""
MOST = 64
"""Centres at most; each widens the products, so narrow points have fewer."""
TIGHT = 0.1
"""Share of the squared spread that may be left around the centres; where more is, one centre serves as well."""
SETTLED = 1.25
"""Centres are enough where what is left is at most so many times what the most of them leave."""
NOISE = 1e-5
"""Share of the squared spread that rounding may feign."""


def find_centres(p: Tensor) -> Tensor:
    """Return K centres (K, D) of groups of centred points p (N, D), or 0 alone, (1, D), where there are no tight ones.

    A sample's furthest point becomes the next centre (Gonzalez 1985), then each centre the mean of what is nearest to
    it. A guess that changes no result of a search, only how long it takes: distances are as sharp as the points are
    near to a centre.
    """
    few = min(SAMPLE, len(p) // 4 + 1)
    sample = p[torch.randperm(len(p), generator=torch.Generator().manual_seed(0))[:few].to(p.device)]
    squares = sample.square().sum(1)
    apart = (squares.unsqueeze(1) + squares - 2 * sample @ sample.T).clamp_(min=0)
    limit = 2 * TIGHT * squares.mean()  # around a point of a group, squares are twice what they are around its mean
    # No point is nearer to another that is a centre than to its nearest; the median knows nothing of some outliers.
    if not bool(apart.clone().fill_diagonal_(torch.inf).amin(1).median() < limit):
        return p.new_zeros(1, p.shape[1])
    nearest, found, left = apart[0], [torch.zeros((), dtype=torch.int64, device=p.device)], []
    for _ in range(min(MOST, len(sample) // 4 + 1, p.shape[1] // 2 + 8)):
        left.append(nearest.mean())
        found.append(nearest.argmax())
        nearest = torch.minimum(nearest, apart[found[-1]])
    spread = torch.stack(left)
    count = int((spread > SETTLED * spread[-1] + NOISE * squares.mean()).sum()) + 1
    if count == 1 or not bool(spread[-1] < limit):
        return p.new_zeros(1, p.shape[1])
    group = apart[torch.stack(found[:count])].argmin(0)
    share = torch.nn.functional.one_hot(group, count).to(p.dtype)
    return (share / share.sum(0).clamp(min=1)).T @ sample
