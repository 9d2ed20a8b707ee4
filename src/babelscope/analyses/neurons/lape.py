"""Language activation probability entropy (LAPE): neurons that fire for few languages."""

import torch
from torch import Tensor


def entropies(rates: Tensor) -> Tensor:
    """Return each neuron's entropy over the languages, in nats, from its firing rates: 0 if it fires for one alone.

    Args:
        rates: (K, L, F) float64 share of a language's tokens with an activation above 0.

    Returns:
        (L, F) float64. A neuron that never fires has entropy 0 here too; `lape` drops it.
    """
    total = rates.sum(0)
    q = torch.where(total > 0, rates / total, 0.0)
    return torch.special.entr(q).sum(0)


def lape(rates: Tensor, *, share: float = 0.01, bar: float = 0.95) -> Tensor:
    """Find the neurons of each language by their firing rates, as LAPE does.

    Neurons with no rate above the `bar` quantile of all rates are dropped. Of the rest, those with the lowest entropy
    over languages are taken, as many as `share` of all neurons, the first by index among equals. Each belongs to every
    language in which its rate is above the same quantile. The quantile is the round(N * bar)-th smallest of N rates.

    Args:
        rates: (K, L, F) float64 share of a language's tokens with an activation above 0.
        share: Of all neurons, how many to take at most.
        bar: Which quantile of all rates a neuron must exceed.

    Returns:
        (K, L, F) bool. Regions may share neurons and may be empty.

    Raises:
        ValueError: if there are fewer than two languages, a rate is not between 0 and 1, or share or bar is not
            strictly between 0 and 1 or takes no neuron.

    Tang et al. 2024, "Language-Specific Neurons: The Key to Multilingual Capabilities in Large Language Models".
    """
    _check(rates, share, bar)
    blocks, neurons = rates.shape[1:]
    count = round(blocks * neurons * share)
    if count < 1:
        raise ValueError(
            f"Expected argument `share` to take at least one of {blocks * neurons} neurons, but got {share}; raise it "
            f"to {1 / (blocks * neurons):.3g} or more"
        )
    high = rates > rates.flatten().kthvalue(max(round(rates.numel() * bar), 1)).values
    entropy = torch.where(high.any(0), entropies(rates), torch.inf)
    # the last digits depend on the order of languages and must not decide between neurons alike
    lowest = entropy.round(decimals=12).flatten().sort(stable=True).indices[:count]
    chosen = torch.zeros(blocks * neurons, dtype=torch.bool, device=rates.device)
    chosen[lowest] = True
    return high & chosen.view(blocks, neurons)  # a dropped neuron that was chosen for want of others is high nowhere


def _check(rates: Tensor, share: float, bar: float) -> None:
    if rates.ndim != 3 or rates.dtype != torch.float64 or 0 in rates.shape:
        raise ValueError(
            f"Expected argument `rates` to be a non-empty float64 tensor of shape (K, L, F), but got {rates.dtype} of "
            f"shape {tuple(rates.shape)}; stack the rates of all blocks and call .double()"
        )
    if len(rates) < 2:
        raise ValueError(f"Expected argument `rates` to be of 2 languages or more, but got {len(rates)}; add languages")
    if not bool(((rates >= 0) & (rates <= 1)).all()):
        raise ValueError(
            f"Expected argument `rates` to be shares from 0 to 1, but got values from {rates.min().item():.3g} to "
            f"{rates.max().item():.3g}; divide the tokens that fire by the tokens of the language, of which each must "
            f"have some"
        )
    for name, value in (("share", share), ("bar", bar)):
        if not 0 < value < 1:
            raise ValueError(
                f"Expected argument `{name}` to be between 0 and 1, but got {value}; 0.01 and 0.95 are usual for share "
                f"and bar"
            )
