"""Find centres of points that lie in tight groups, as languages often do in last layers, or in few dimensions."""

import torch
from torch import Tensor

SAMPLE = 1024
"""Most points in the sample in which groups are sought; at most a quarter of all points."""
FEW_CENTRES = 64
"""Most centres unless these leave too much; where points lie in few dimensions, more would help ever less."""
MAX_CENTRES = 320
"""Most centres; each widens the products by four columns, so narrow points get fewer."""
TIGHT = {torch.bfloat16: 0.1, torch.float32: 0.02}
"""Share of the squared spread that may remain around the centres for products in each type to gain by them.

Of more than `FEW_CENTRES`, proportionally less: the more centres, the more they cost and the fewer pairs they spare."""
SETTLED = 1.25
"""Stop adding centres once the remaining spread is at most this many times the spread with the most centres."""
NOISE = 1e-5
"""Share of the squared spread that rounding alone may produce."""


def find_centres(p: Tensor, dtype: torch.dtype) -> Tensor:
    """Return K centres (K, D) of groups of centred points p (N, D), or 0 alone, (1, D), where there are no tight ones.

    "Tight" is what products in `dtype` around one centre do not resolve.

    Repeatedly, the point of a sample that is furthest from all centres becomes a centre (Gonzalez 1985). At the end,
    each centre moves to the mean of the points nearest to it. The centres are a guess: they never change the result of
    a search, only how long it takes, because distances are sharper the nearer points are to a centre.
    """
    n_sampled = min(SAMPLE, len(p) // 4 + 1)
    sample = p[torch.randperm(len(p), generator=torch.Generator().manual_seed(0))[:n_sampled].to(p.device)]
    squares = sample.square().sum(1)
    apart = (squares.unsqueeze(1) + squares - 2 * sample @ sample.T).clamp_(min=0)
    limit = 2 * TIGHT[dtype] * squares.mean()  # squared distances to a point of a group are twice those to its mean
    # A point is at least as far from any centre as from its nearest point; the median ignores some outliers.
    if not bool(apart.clone().fill_diagonal_(torch.inf).amin(1).median() < limit):
        return p.new_zeros(1, p.shape[1])
    nearest, chosen, left = apart[0], [torch.zeros((), dtype=torch.int64, device=p.device)], []
    for _ in range(min(MAX_CENTRES, len(sample) // 2, p.shape[1] + 8)):
        left.append(nearest.sum() / (len(sample) - len(chosen)))  # points that are centres say nothing
        chosen.append(nearest.argmax())
        nearest = torch.minimum(nearest, apart[chosen[-1]])
    for most in (FEW_CENTRES, MAX_CENTRES):
        spread = torch.stack(left[:most])
        count = int((spread > SETTLED * spread[-1] + NOISE * squares.mean()).sum()) + 1
        if count > 1 and bool(spread[-1] < limit * min(1, FEW_CENTRES / count)):
            break
    else:
        return p.new_zeros(1, p.shape[1])
    group = apart[torch.stack(chosen[:count])].argmin(0)
    share = torch.nn.functional.one_hot(group, count).to(p.dtype)
    return (share / share.sum(0).clamp(min=1)).T @ sample
