"""Synthetic runs of a study with planted effects, in memory."""

from pathlib import Path

import numpy as np
import pandas as pd

from babelscope.report.table import COLUMNS, Run

LANGUAGES = ("eng_Latn", "ind_Latn", "deu_Latn", "swh_Latn", "rus_Cyrl", "hin_Deva", "tha_Thai", "jpn_Jpan")
LAYERS = ("0", "1", "2", "3", "4", "5", "6", "final")
FROZEN = {"none": 0, "embeddings": 0, "early": 2, "early_half": 3, "early_most": 5, "last": 0, "lora": 0, "guard": 4}
GAIN = {
    "embeddings": 0.01,
    "early": 0.05,
    "early_half": 0.09,
    "early_most": 0.06,
    "last": -0.04,
    "lora": 0.03,
    "guard": 0.07,
}
"""Planted zero-shot gain over none."""


def make_run(
    setting="none",
    seed=0,
    source="eng_Latn",
    *,
    task="topic",
    model="lab_xlmr",
    metrics=("mexa", "ilo"),
    effect=1.0,
    noise=0.01,
    steps=3,
    languages=LANGUAGES,
    tested=True,
    name=True,
    fall=0.06,
    above=0.0,
    **manifest,
):
    """Make a run whose early layers lose alignment unless frozen; `effect` scales and turns what freezing gains.

    `above` is the share of the fall that freezing saves in the layers above; `manifest` is added to the manifest.
    """
    rng = np.random.default_rng([seed, *setting.encode(), *source.encode(), *task.encode()])
    config = {"seed": seed, "task": {"name": task, "language": source}, "model": {"name": model}}
    keep = setting == "early_lora" or FROZEN.get(setting, 0)
    rows = [
        row
        for step in range(steps)
        for row in _layers(rng, step, keep, metrics, languages, noise, fall * effect * (1 - above * bool(keep)), seed)
    ]
    if setting == "guard":
        rows += _guard(steps)
    if tested:
        rows += _tests(rng, setting, source, task, languages, effect, noise, seed, steps)
    label = f"{setting}-{source}-{task}-{seed}"
    frame = pd.DataFrame(rows).assign(run=label)[list(COLUMNS)]
    described = _manifest(setting, source, model, languages, name, keep) | manifest
    return Run(Path("/runs") / model / label, config, described, frame)


def make_study(settings=("none", "early", "early_half", "last"), seeds=range(5), sources=("eng_Latn",), **options):
    """Make every combination of settings, seeds and sources."""
    return [make_run(setting, seed, source, **options) for setting in settings for source in sources for seed in seeds]


def make_evaluation(name="evaluated"):
    """Make a run as `babelscope evaluate` writes it."""
    keys = {"run": name, "step": 80, "epoch": 2, "layer": "", "other": ""}
    rows = [
        {**keys, "metric": f"xcopa/{metric}", "language": language, "value": value}
        for language in ("ind_Latn", "tur_Latn")
        for metric, value in (("acc", 0.6), ("acc_stderr", 0.02), ("acc_null", 0.5))
    ]
    described = {"model": "lab_bloom", "benchmark": "xcopa", "setting": {"freeze": "early", "adapter": "none"}}
    return Run(Path("/runs") / name, {"model": {"name": "trained"}}, described, pd.DataFrame(rows)[list(COLUMNS)])


def _row(step, layer, metric, value, language=""):
    keys = {"step": 40 * step, "epoch": step, "layer": layer, "other": ""}
    return keys | {"metric": metric, "language": language, "value": float(value)}


def _layers(rng, step, keep, metrics, languages, noise, fall, seed):
    depth = np.array([0.55, 0.75, 0.85, 0.92, 0.88, 0.7, 0.55, 0.5])
    tier = np.linspace(0.08, -0.12, len(languages))
    sampled = np.random.default_rng([seed, 99]).normal(0, noise, (len(LAYERS), len(languages)))
    for place, layer in enumerate(LAYERS):
        lost = 0 if place <= keep and keep else step * fall * (1.0 if place < 3 else 0.4)
        for metric in metrics:
            values = depth[place] + tier + sampled[place] - lost + rng.normal(0, noise, len(languages)) * (step > 0)
            yield _row(step, layer, metric, values.mean())
            yield _row(step, layer, f"{metric}_null", 0.05)
            for language, value in zip(languages, values, strict=True):
                yield _row(step, layer, metric, value, language)


def _guard(steps):
    for step in range(1, steps):
        for layer in ("0", "1", "2", "3"):
            yield _row(step, layer, "guard_fall", 0.02 * step + 0.01 * int(layer))
    yield _row(1, "3", "guard_freeze", 0)


def _tests(rng, setting, source, task, languages, effect, noise, seed, steps):
    level = np.random.default_rng([seed, 7]).normal(0, 0.03)
    for place, language in enumerate(languages):
        own = language == source
        gain = (-0.01 if FROZEN.get(setting) else 0.0) if own else effect * GAIN.get(setting, 0.0)
        score = (0.9 if own else 0.62 - 0.02 * place) + level + gain + rng.normal(0, noise)
        if task == "lm":
            yield _row(steps - 1, "", "test_loss", 4 - 3 * score, language)
        else:
            yield _row(steps - 1, "", "test_accuracy", score, language)
            yield _row(steps - 1, "", "test_loss", 2 - 2 * score, language)


def _manifest(setting, source, model, languages, name, keep):
    parts = ["inputs", *(f"block {place}" for place in range(6)), "lm_head"]
    frozen = {"inputs", *(f"block {place}" for place in range(keep))} if setting != "none" else set()
    return {
        "model": model,
        "corpus": {"name": "lab", "sentences": 100, "languages": list(languages)},
        "trainable": [{"part": part, "parameters": 1000, "trainable": 0 if part in frozen else 1000} for part in parts],
        "source_language": source,
        "setting": {"freeze": setting, "adapter": "none"} | ({"name": setting} if name else {}),
    }
