"""Neuron scores, LRDS and SADS against the published double loops, as `scripts/neuron_speed.py` takes them apart.

The published parts run on one of the languages and one of the layers, at full length, and count as often as there are
languages and as LRDS and SADS need the cosines, of every layer and of the model.
"""

from collections.abc import Iterator

import numpy as np
import torch
from neuron_speed import Clock, cosines, loop, make
from neuron_speed import measure as measure_ours

from benchmarks.result import Check, Line, Settings
from benchmarks.timing import once

TIMES = 4
"""How often LRDS and SADS as published take the cosines of a layer."""


def measure(settings: Settings) -> Iterator[Line]:
    layers, width, languages, sentences = shape = (3, 256, 4, 12) if settings.quick else (30, 16_384, 10, 100)
    ours, theirs, scores_alone, errors = [], [], [], []
    for _ in range(settings.repeats):
        clock = Clock()
        scores, _words = measure_ours(shape, clock)
        ours.append(sum(clock.seconds.values()))
        scored = clock.seconds["norms"] + clock.seconds["neuron scores"] + clock.seconds["z-regions"]
        first = next(make(*shape)).flatten(0, 1).numpy()
        one = torch.cat([x[0] for x in make(*shape)], dim=1)
        h = (one / torch.linalg.vector_norm(one, dim=1, keepdim=True)).numpy()
        found, looping = once(lambda h=h: loop(h))  # type: ignore[misc]
        _, multiplying = once(lambda first=first: cosines(first))  # type: ignore[misc]
        theirs.append(languages * looping + TIMES * layers * multiplying)
        scores_alone.append(languages * looping / scored)
        errors.append(float(np.abs(found - scores.numpy()).max() / np.abs(found).max()))
    yield Line(
        f"neuron scores, LRDS, SADS, {languages} x {sentences} sentences x {layers * width:,} neurons",
        "published double loops, from 1 language and 1 layer",
        ours,
        theirs,
        target=40.0,
        checks=[Check("largest difference to the largest score", float(np.max(errors)), "<=", 1e-5)],
        extras={"ratio of scores and norms to the double loop alone": float(np.median(scores_alone))},
    )
