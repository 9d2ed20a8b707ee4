"""Synthetic runs of `babelscope neurons`, in memory: two models, several checkpoints, planted growth and regions."""

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from babelscope.report.table import COLUMNS, Run

LANGUAGES = ("eng_Latn", "fra_Latn", "ind_Latn", "rus_Cyrl", "hin_Deva", "zho_Hans")
STEPS = (0, 100, 200, 400, 800)
SIZES = {"lab_bloom_small": (4, 128), "lab_bloom": (6, 256)}


def make_neurons(
    model="lab_bloom",
    step=800,
    *,
    languages=LANGUAGES,
    shape=None,
    weights=None,
    criteria=("z", "lape"),
    ablated=True,
    layered=True,
    **manifest,
):
    """Make one run; `step` None is the finished model, `ablated` and `layered` add rows of life without a region."""
    layers, neurons = shape or SIZES.get(model, (6, 256))
    grown = 1.0 if step is None else step / max(STEPS)
    rng = np.random.default_rng([layers, neurons, int(100 * grown)])
    rows = [
        *_alignment(rng, grown, layers, languages),
        *_regions(rng, grown, layers, neurons, languages, criteria),
        *(_ablation_rows(rng, grown, languages) if ablated else ()),
        *(_layered(rng, layers, languages) if layered else ()),
    ]
    label = f"{model}-{step}"
    keys = {"run": label, "step": 0, "epoch": 0}
    frame = pd.DataFrame([keys | dict(zip(COLUMNS[3:], row, strict=True)) for row in rows])[list(COLUMNS)]
    described = {
        "model": model,
        "revision": None if step is None else f"step={step}",
        "weights": weights or f"{model}{step}",
        "corpus": {"name": "lab", "sentences": 140, "languages": list(languages)},
        "neurons": {
            "reading": "down_input",
            "layers": layers,
            "per_layer": neurons,
            "criteria": {name: {"threshold": 2.0} for name in criteria},
            "found_on": 100,
            "measured_on": 40 if ablated else 0,
            "ablated": list(languages) if ablated else [],
            "empty": {"z": [languages[-1]]} if not grown else {},
        },
    }
    return Run(
        Path("/runs") / label,
        {"model": {"name": model}, "seed": 0, "ablation": {"criterion": "z"} if ablated else None},
        described | manifest,
        frame,
    )


def make_growth(models=tuple(SIZES), steps=STEPS, **options):
    """Make all checkpoints of all models; the last two of the first model have equal weights."""
    return [
        make_neurons(model, step, weights="equal" if model == models[0] and step in steps[-2:] else None, **options)
        for model, step in product(models, steps)
    ]


def without(run, *metrics):
    """Leave out the rows of some metrics."""
    return replace(run, rows=run.rows[~run.rows["metric"].str.startswith(metrics)])


def _alignment(rng, grown, layers, languages):
    """Yield layer, metric, language, other, value, as all of these."""
    depth = np.linspace(0, 1, layers)
    curves = {"lrds": 0.1 + 0.25 * (2 * depth - 1) ** 2, "sads": 0.02 + 0.3 * grown * (1 - (2 * depth - 1) ** 2)}
    for metric, planted in curves.items():
        curve = planted + rng.normal(0, 0.01, layers)
        for layer, value in [*enumerate(curve, start=1), ("", curve.mean() * 0.9)]:
            ends = {"": value, "_low": value - 0.015, "_high": value + 0.015}
            ends |= {"_null_low": -0.004, "_null_high": 0.003, "_legacy": 0.01 * rng.normal()}
            for end, number in ends.items():
                if metric == "sads" or end != "_legacy":
                    yield str(layer), metric + end, "", "", number
            for language, shift in zip(languages, np.linspace(0.03, -0.03, len(languages)), strict=True):
                for end, off in (("", 0), ("_low", -0.03), ("_high", 0.03)):
                    yield str(layer), metric + end, language, "", value + shift + off
    for (i, a), (j, b) in product(enumerate(languages), repeat=2):
        if i != j:
            near = 0.05 if a[-4:] == b[-4:] else -0.01
            yield "", "sads", a, b, curves["sads"].mean() + near - 0.4 * (1 - grown) * (i + j == 9)


def _regions(rng, grown, layers, neurons, languages, criteria):
    depth = np.linspace(-1, 1, layers)
    for criterion in criteria:
        weight = 0.3 + (depth**2 if criterion == "z" else np.clip(depth, 0, 1) ** 3 * 3) * grown
        counts = {code: rng.poisson(0.02 * neurons * weight * rng.uniform(0.5, 2)) for code in languages}
        for code, count in counts.items():
            for layer, number in [*enumerate(count, start=1), ("", count.sum())]:
                yield str(layer), f"{criterion}_neurons", code, "", number
        yield "", f"{criterion}_neurons", "", "", np.mean([count.sum() for count in counts.values()])
        if criterion == "z":
            for layer in [*range(1, layers + 1), ""]:
                yield str(layer), "z_neurons_null", "", "", 0.002 * neurons * (layers if layer == "" else 1)
        cuts = [part.tolist() for part in np.array_split(np.arange(layers), 3)]
        for third, part in zip(("early", "middle", "last"), cuts, strict=True):
            shares = {code: count[part].sum() / max(count.sum(), 1) for code, count in counts.items()}
            for code, share in [*shares.items(), ("", np.mean(list(shares.values())))]:
                yield "", f"{criterion}_share_{third}", code, "", share
            yield "", f"{criterion}_share_{third}_null", "", "", len(part) / layers
        for a, b in product(languages, repeat=2):
            if a != b:
                shared = 0.12 if a[-4:] == b[-4:] else 0.02 * rng.random()
                yield "", f"{criterion}_overlap", a, b, 0 if criterion == "z" and len(languages) <= 10 else shared
                yield "", f"{criterion}_overlap_chance", a, b, 0.013
    if {"z", "lape"} <= set(criteria):
        for code in languages:
            yield "", "z_lape_overlap", code, "", 0.1 + 0.2 * rng.random()
            yield "", "z_lape_overlap_chance", code, "", 0.012


def _ablation_rows(rng, grown, languages):
    for code in languages:
        for metric, value in (("loss", 3 - 2 * grown), ("perplexity", np.exp(3 - 2 * grown)), ("bits_per_byte", 1.1)):
            yield "", metric, code, "", value
        yield "", "ablated_neurons", "", code, 40
    for code, off in product(languages, repeat=2):
        change = (0.5 * grown if code == off else 0.06) + rng.normal(0, 0.03)
        for kind, value in (("ablated", change), ("random", rng.normal(0.03, 0.02))):
            yield "", f"{kind}_perplexity", code, off, np.exp(value)
            for unit, per in (("loss", 1), ("bits_per_byte", 3)):
                for end, shift in (("", 0), ("_low", -0.04), ("_high", 0.05)):
                    yield "", f"{kind}_{unit}{end}", code, off, (value + shift) / per


def _layered(rng, layers, languages):
    for layer in map(str, range(layers + 1)):
        yield layer, "intact_ilo", "", "", 0.8
        for off in languages:
            yield layer, "ablated_ilo", "", off, 0.8 - 0.1 * rng.random()
            random = 0.8 - 0.01 * rng.random()
            for end, shift in (("", 0), ("_low", -0.004), ("_high", 0.004)):
                yield layer, f"random_ilo{end}", "", off, random + shift
            yield layer, "ablated_ilo_null", "", off, 0.97
    for code, off in product(languages, repeat=2):
        yield "", "ablated_accuracy", code, off, 0.7 - 0.3 * (code == off)
        for end, value in (("", 0.74), ("_low", 0.73), ("_high", 0.75)):
            yield "", f"random_accuracy{end}", code, off, value
    for code in languages:
        yield "", "intact_accuracy", code, "", 0.75
