"""Time and memory of neuron scores on synthetic activations of published size, beside the published double loop.

python scripts/neuron_speed.py [LAYERS WIDTH LANGUAGES SENTENCES]      # 30 16384 10 100 by default: BLOOM-7b1

A layer is made from its seed each time it is needed, which is not timed. The published code has two parts. Its double
loop gives the scores; it runs here on one language, at the full length of its vectors, and takes as many times longer
as there are languages. Its LRDS and SADS each take the cosines of all points, per layer and of the model; this matrix
product runs here on one layer, and is needed four times per layer.
"""

import resource
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from babelscope.analyses.neurons.scores import neuron_scores, z_scores
from babelscope.metrics.lrds import lrds_of
from babelscope.metrics.pairs.cosine_sums import CosineSums, cosine_sums_by, squared_norms
from babelscope.metrics.pairs.intervals import interval
from babelscope.metrics.pairs.nulls import Relabelling, all_cosines, rescale
from babelscope.metrics.sads import sads_of

THRESHOLD = 2.0
PERMUTATIONS = 100
Result = TypeVar("Result")


class Clock:
    """Adds up the time of calls by name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def __call__(self, what: str, work: Callable[..., Result], *given: object) -> Result:
        started = time.perf_counter()
        result = work(*given)
        self.seconds[what] = self.seconds.get(what, 0.0) + time.perf_counter() - started
        return result


def make(layers: int, width: int, languages: int, sentences: int) -> Iterator[Tensor]:
    """Layers (K, n, F): what neurons give to a language, to a meaning and by chance, where it is positive."""
    for layer in range(layers):
        g = torch.Generator().manual_seed(layer)
        x = torch.randn(languages, sentences, width, generator=g)
        x += torch.randn(languages, 1, width, generator=g)
        yield x.add_(torch.randn(sentences, width, generator=g)).relu_()


def loop(h: np.ndarray) -> np.ndarray:
    """Mean product of all pairs of h (n, F), as published: a running mean over pairs of whole vectors."""
    mean, count = np.zeros(h.shape[1]), 0
    for i in range(len(h)):
        for j in range(i + 1, len(h)):
            count += 1
            mean += (h[i] * h[j] - mean) / count
    return mean


def cosines(x: np.ndarray) -> np.ndarray:
    """Cosines of all points x (S, F), as published: one matrix product."""
    h = x / np.linalg.norm(x, axis=1, keepdims=True)
    return h @ h.T


def peak() -> float:
    """Peak memory of this process so far, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


@dataclass(frozen=True)
class Found:
    """What `measure` finds."""

    scores: Tensor
    """(K, F) of all neurons."""
    lrds: tuple[float, float]
    """Of the first layer, and of the whole model."""
    sads: tuple[float, float]
    key: int
    """Neurons above THRESHOLD."""

    def __str__(self) -> str:
        return f"LRDS {self.lrds[1]:.4f}, SADS {self.sads[1]:.4f}, {self.key} key neurons at z > {THRESHOLD}"


def measure(shape: tuple[int, int, int, int], clock: Clock) -> Found:
    """Scores, z-regions and both differences per layer and of the whole model."""
    norms = [clock("norms", squared_norms, x) for x in make(*shape)]
    whole = torch.stack(norms).sum(0).sqrt()
    sums: list[CosineSums] = []  # of the first layer and of the whole model
    scores, key = [], 0
    for x, squares in zip(make(*shape), norms, strict=True):
        own, part = clock("sums for LRDS and SADS", cosine_sums_by, x, squares.sqrt(), whole)
        clock("LRDS, SADS, intervals per layer", lambda own=own: (interval(own, lrds_of), interval(own, sads_of)))
        sums = [sums[0], sums[1] + part] if sums else [own, part]
        found = clock("neuron scores", neuron_scores, x, whole)
        key += int(clock("z-regions", lambda found=found: z_scores(found) > THRESHOLD).sum())
        scores.append(found)
    (lrds, lrds_all), (sads, sads_all) = ([float(of(one.means)) for one in sums] for of in (lrds_of, sads_of))
    return Found(torch.cat(scores, dim=1), (lrds, lrds_all), (sads, sads_all), key)


def shuffle(shape: tuple[int, int, int, int], clock: Clock) -> None:
    """Shuffled labels, per layer and of the whole model."""
    layers, _, languages, sentences = shape
    norms = [squared_norms(x).sqrt() for x in make(*shape)]
    whole = torch.stack(norms).square().sum(0).sqrt()
    drawn = Relabelling.draw(languages, sentences, PERMUTATIONS, 0)
    total = torch.zeros(languages * sentences, languages * sentences, dtype=torch.float64)
    for x, norm in zip(make(*shape), norms, strict=True):
        own = clock("cosines of all points", all_cosines, x, norm)
        clock(f"{PERMUTATIONS} shuffles", lambda own=own: (drawn.lrds(own), drawn.sads(own)))
        total += rescale(own, norm, whole)
    null = drawn.sads(total)
    print(f"SADS of shuffled sentences from {null.min():.4f} to {null.max():.4f}, {layers} layers")


def tell(clock: Clock) -> float:
    for what, seconds in clock.seconds.items():
        print(f"  {what:<40}{seconds:>10.2f} s")
    return sum(clock.seconds.values())


def main(layers: int = 30, width: int = 16_384, languages: int = 10, sentences: int = 100) -> None:
    shape = (layers, width, languages, sentences)
    print(
        f"{sentences} sentences x {languages} languages x {layers * width} neurons, {torch.get_num_threads()} threads"
    )
    ours = Clock()
    measured = measure(shape, ours)
    print(measured)
    seconds = tell(ours)
    print(f"all of it without shuffles: {seconds:.2f} s, peak memory {peak():.2f} GiB")
    shuffled = Clock()
    shuffle(shape, shuffled)
    tell(shuffled)
    print(f"with shuffles: {seconds + sum(shuffled.seconds.values()):.2f} s, peak memory {peak():.2f} GiB")
    published = Clock()
    first = next(make(*shape))
    published("cosines", cosines, first.flatten(0, 1).numpy())
    one = torch.cat([x[0] for x in make(*shape)], dim=1)
    h = (one / torch.linalg.vector_norm(one, dim=1, keepdim=True)).numpy()
    found = published("double loop", loop, h)
    assert np.abs(found - measured.scores[0].numpy()).max() < 1e-5 * np.abs(found).max()
    loops = languages * published.seconds["double loop"]
    products = 4 * layers * published.seconds["cosines"]
    print(f"published double loop: {loops / languages:.2f} s for 1 of {languages} languages, {loops:.1f} s for all")
    print(f"published cosines: {products / layers:.2f} s for 1 of {layers} layers, {products:.1f} s for all")
    alone = ours.seconds["neuron scores"] + ours.seconds["z-regions"]
    normed = alone + ours.seconds["norms"]
    print(
        f"per element, our scores and z-regions are {loops / alone:.0f} x as fast as the double loop, which is given h,"
    )
    print(f"{loops / normed:.0f} x with our norms counted in")
    print(f"and everything, LRDS and SADS included, {(loops + products) / seconds:.0f} x as fast as both parts")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
