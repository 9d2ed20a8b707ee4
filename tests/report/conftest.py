"""Synthetic runs that look like real ones: seven layers and `final`, 24 languages, six steps, two freezing policies."""

import numpy as np
import pytest
import yaml

from babelscope.files import write_json
from babelscope.report import table

LANGUAGES = [
    "eng_Latn",
    "deu_Latn",
    "fra_Latn",
    "spa_Latn",
    "swe_Latn",
    "tur_Latn",
    "ind_Latn",
    "swh_Latn",
    "vie_Latn",
    "rus_Cyrl",
    "ukr_Cyrl",
    "srp_Cyrl",
    "ell_Grek",
    "arb_Arab",
    "pes_Arab",
    "heb_Hebr",
    "hin_Deva",
    "ben_Beng",
    "tam_Taml",
    "tha_Thai",
    "kor_Hang",
    "jpn_Jpan",
    "zho_Hans",
    "amh_Ethi",
]
LAYERS = ["0", "1", "2", "3", "4", "5", "6", "final"]
FROZEN = {"none": 0, "early": 3}


def write_run(folder, *, freeze="none", languages=LANGUAGES, steps=6, task=True, pairs=True, manifest=True):
    """Write a whole run folder as `train` would."""
    rng = np.random.default_rng(5)
    source = languages[0]
    tier = np.linspace(1, 0.35, len(languages)) + rng.normal(0, 0.05, len(languages))
    config = {"model": {"checkpoint": "lab_xlmr"}, "task": {"name": "topic", "language": source}, "seed": 1}
    folder.mkdir(parents=True)
    (folder / "run.yaml").write_text(
        yaml.safe_dump(config | {"freeze": {"blocks": [[0, FROZEN[freeze]]]}}, sort_keys=False)
    )
    for step in range(steps):
        keys = {"run": folder.name, "step": step * 40, "epoch": step}
        rows = [keys | row for row in layer_rows(rng, freeze, languages, tier, step, pairs)]
        if task:
            rows += [keys | {"layer": "", "other": ""} | row for row in task_rows(freeze, languages, tier, step, steps)]
        table.write(folder, f"step_{step * 40:08d}", rows)
    if manifest:
        write_json(folder, "manifest", manifest_of(freeze, languages))
    return folder


def layer_rows(rng, freeze, languages, tier, step, pairs):
    depth = np.array([0.35, 0.62, 0.8, 0.9, 0.84, 0.6, 0.42, 0.46])
    for place, layer in enumerate(LAYERS):
        damage = (
            0.0
            if place <= FROZEN[freeze]
            else (0.05 if freeze == "early" else 0.07) * step * (0.9 if place < 5 else 0.5)
        )
        if freeze == "none" and place < 3:
            damage = 0.045 * step
        level = np.clip(depth[place] * (0.55 + 0.45 * tier) - damage + rng.normal(0, 0.012, len(languages)), 0.01, 1)
        reach = np.sqrt(level)
        for name, values in {"ilo": level, "bridge": np.clip(level**1.4, 0, 1), "reach": reach}.items():
            yield {"layer": layer, "metric": name, "language": "", "other": "", "value": values.mean()}
            for language, value in zip(languages, values, strict=True):
                yield {"layer": layer, "metric": name, "language": language, "other": "", "value": value}
        mean = level.mean()
        flat = {
            "ilo_null": 0.97,
            "bridge_null": 0.95,
            "separability": 1 - 0.5 * mean**2,
            "separability_control": 1 / len(languages) + 0.01,
            "separability_centred": 0.75 - 0.6 * mean,
            "knn_lid": 1 - 0.8 * mean,
        }
        for name, value in flat.items():
            yield {"layer": layer, "metric": name, "language": "", "other": "", "value": value}
        if pairs:
            yield from pair_rows(rng, languages, tier, level, layer)


def pair_rows(rng, languages, tier, level, layer):
    for i, language in enumerate(languages):
        alike = np.array([1.8 if other[-4:] == language[-4:] else 1.0 for other in languages])
        share = np.where(np.arange(len(languages)) == i, 0, alike * tier * rng.uniform(0.6, 1.4, len(languages)))
        share = share / share.sum() * level[i]
        share[i] = 1 - level[i]
        for other, value in zip(languages, share, strict=True):
            yield {"layer": layer, "metric": "neighbour_share", "language": language, "other": other, "value": value}


def task_rows(freeze, languages, tier, step, steps):
    learned = 1 - np.exp(-step / 1.4)
    source = 1 / 7 + (0.76 if freeze == "none" else 0.74) * learned
    yield {"metric": "validation_accuracy", "language": languages[0], "value": source}
    yield {"metric": "validation_loss", "language": languages[0], "value": 1.95 - 1.5 * learned}
    if step in (0, steps - 1):
        for language, place in zip(languages, tier, strict=True):
            share = 1 if language == languages[0] else place * (0.72 if freeze == "none" else 0.86)
            yield {"metric": "test_accuracy", "language": language, "value": 1 / 7 + 0.72 * learned * share}


def manifest_of(freeze, languages):
    sizes = {"inputs": 262_144, **{f"block {i}": 49_984 for i in range(6)}, "final_norm": 128, "lm_head": 4_551}
    frozen = {"inputs", *(f"block {i}" for i in range(FROZEN[freeze]))} if FROZEN[freeze] else set()
    return {
        "model": "lab_xlmr",
        "revision": None,
        "weights": "9f2b" * 16,
        "corpus": {"name": "lab", "fingerprint": "77ab" * 16, "sentences": 120, "languages": list(languages)},
        "pool": "mean",
        "dtype": "float32",
        "versions": {"torch": "2.13.0", "transformers": "5.23.0"},
        "host": "laptop",
        "trainable": [
            {"part": part, "parameters": size, "trainable": 0 if part in frozen else size}
            for part, size in sizes.items()
        ],
        "layers": LAYERS,
        "source_language": languages[0],
        "setting": {"freeze": freeze, "adapter": "none"},
    }


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    """Two runs that differ in freezing."""
    root = tmp_path_factory.mktemp("runs")
    return [table.read_run(write_run(root / freeze, freeze=freeze)) for freeze in FROZEN]


@pytest.fixture
def make_run(tmp_path):
    """Write and read one run with other settings."""
    return lambda name="run", **settings: table.read_run(write_run(tmp_path / name, **settings))
