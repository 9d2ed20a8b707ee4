"""Synthetic runs of a sweep over models with planted structure, in memory and on disk."""

import sys
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from babelscope.files import write_json
from babelscope.report.table import COLUMNS, Run, write

LANGUAGES = (
    "eng_Latn",
    "deu_Latn",
    "ind_Latn",
    "swh_Latn",
    "tur_Latn",
    "vie_Latn",
    "rus_Cyrl",
    "ell_Grek",
    "arb_Arab",
    "hin_Deva",
    "tha_Thai",
    "jpn_Jpan",
)
MODELS = {"lab_xlmr": (6, 0.1), "lab_mt5": (6, 0.05), "lab_bloom": (4, 0.0), "lab_llama": (4, -0.05)}
"""Number of blocks, and how much better than others a model is at the task whatever its alignment."""
SETTINGS = {"none": 0.0, "early": 0.06, "early_half": 0.04, "last": -0.05}
"""What a setting adds to alignment after fine-tuning."""


def make_run(
    model="lab_xlmr",
    setting="none",
    seed=0,
    source="eng_Latn",
    *,
    task="topic",
    slope=0.6,
    noise=0.01,
    layers=None,
    languages=LANGUAGES,
    metrics=("mexa", "ilo"),
    steps=2,
    tested=True,
    pairs=False,
    **manifest,
):
    """Make a run whose zero-shot accuracy follows its alignment by `slope`, language by language."""
    blocks, level = MODELS.get(model, (6, 0.0))
    layers = range(blocks + 1) if layers is None else range(layers)
    rng = np.random.default_rng([seed, *f"{model} {setting} {source} {task}".encode()])
    fixed = np.random.default_rng([*model.encode()]).normal(0, 0.08, len(languages))
    aligned = 0.6 - level + fixed + SETTINGS.get(setting, 0.0) + rng.normal(0, noise, len(languages))
    bump = np.exp(-(((np.arange(len(layers)) - 0.6 * (len(layers) - 1)) / len(layers)) ** 2) * 3)
    rows = []
    for step, (place, layer), metric in product(range(steps), enumerate(layers), metrics):
        before = 0.0 if step else -SETTINGS.get(setting, 0.0)
        values = (aligned + before) * bump[place]
        keys = {"step": 40 * step, "epoch": step, "layer": str(layer), "metric": metric}
        rows.append(keys | {"value": float(values.mean())})
        rows.append(keys | {"metric": f"{metric}_null", "value": 0.05})
        rows += [keys | {"language": name, "value": float(v)} for name, v in zip(languages, values, strict=True)]
    if pairs:
        rows += [
            {"step": 40 * step, "epoch": step, "layer": str(layer), "metric": "neighbour_share", **pair, "value": 0.1}
            for step, layer in product(range(steps), layers)
            for pair in ({"language": one, "other": two} for one, two in product(languages, languages))
        ]
    if tested:
        rows += _tests(rng, level, slope * aligned, source, task, languages, noise, steps)
    config = {"seed": seed, "task": {"name": task, "language": source}, "model": {"name": model}}
    label = f"{model}-{task}-{source}-{setting}-{seed}"
    frame = pd.DataFrame([{"language": "", "other": "", "run": label} | row for row in rows], columns=list(COLUMNS))
    described = {
        "model": model,
        "corpus": {"name": "lab", "sentences": 40, "languages": list(languages)},
        "source_language": source,
        "setting": {"freeze": setting, "adapter": "none", "name": setting},
        "finished": True,
    }
    return Run(Path("/runs") / label, config, described | manifest, frame)


def make_sweep(models=tuple(MODELS), settings=("none", "early"), seeds=range(3), sources=("eng_Latn",), **options):
    """Make every combination."""
    return [
        make_run(model, setting, seed, source, **options)
        for model, setting, source, seed in product(models, settings, sources, seeds)
    ]


def write_run(run, root):
    """Write a run as `train` does: a part per step, tests apart."""
    folder = root / run.folder.name
    folder.mkdir(parents=True)
    (folder / "results").mkdir()
    write_json(folder, "manifest", dict(run.manifest))
    (folder / "run.yaml").write_text(yaml.safe_dump(dict(run.config)))
    of_layers = run.rows["layer"] != ""
    for name, rows in (("layers", run.rows[of_layers]), ("test", run.rows[~of_layers])):
        for step, part in rows.groupby("step"):
            write(folder, f"{name}-{step:08d}", part.to_dict("records"))
    return folder


def _tests(rng, level, carried, source, task, languages, noise, steps):
    keys = {"step": 40 * (steps - 1), "epoch": steps - 1, "layer": ""}
    for name, value in zip(languages, carried, strict=True):
        score = 0.9 if name == source else 0.25 + level + value + rng.normal(0, noise)
        if task == "topic":
            yield keys | {"metric": "test_accuracy", "language": name, "value": float(score)}
        yield keys | {"metric": "test_loss", "language": name, "value": float(4 - 3 * score)}


if __name__ == "__main__":  # python -m tests.report.sweep.sweep_runs FOLDER: 200 runs, as docs/benchmarks.md measures
    sources = ("eng_Latn", "ind_Latn", "hin_Deva", "tha_Thai", "swh_Latn")
    for made in make_sweep(seeds=range(5), sources=sources, layers=13, pairs=True):
        write_run(made, Path(sys.argv[1]))
