"""`babelscope neurons`: regions of languages among FFN neurons, what activations share, and what the regions do."""

from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from babelscope.analyses.lape import lape
from babelscope.analyses.neuron_study import study_neurons, with_reading
from babelscope.analyses.published_regions import read_published
from babelscope.analyses.region_files import fit, read, save
from babelscope.analyses.region_rows import between_rows, null_size_rows, region_rows
from babelscope.analyses.regions import Regions, z_regions
from babelscope.data.corpora import Corpus
from babelscope.models.fingerprint import tensors_fingerprint, weights_fingerprint
from babelscope.models.load import Loaded
from babelscope.report.neurons_page import write_neurons_page
from babelscope.report.table import read_run, write
from babelscope.states import embed_once, prepare
from babelscope.states.firing import count_firing
from babelscope.states.reading import READINGS
from babelscope.verbs.building import begin, build, build_metrics, build_model, checkpoint_of, choose_device, keep
from babelscope.verbs.console import progress, track_what
from babelscope.verbs.manifest import describe
from babelscope.verbs.neuron_ablation import ablation_rows, choose_regions, head_of
from babelscope.verbs.neuron_conf import check_neurons, split_corpus
from babelscope.verbs.neuron_console import print_neurons
from babelscope.verbs.origin import origin_of

Rows = list[dict[str, Any]]


def main(cfg: DictConfig, folder: Path) -> None:
    """Find regions or read them, describe and compare them, switch them off, and write rows, files and page."""
    begin(cfg)
    check_neurons(cfg)
    metrics = build_metrics(cfg) if cfg.get("metrics") else {}
    device = choose_device(cfg.device)
    found_on, measured_on = split_corpus(cfg, build("corpus", cfg.corpus)(list(cfg.languages.codes)))
    given = None if cfg.regions is None else read(Path(cfg.regions).expanduser())
    loaded = build_model(cfg, task=head_of(cfg))
    loaded.model.to(device)
    weights = weights_fingerprint(loaded.model, loaded.parts.family)
    rows: Rows = []
    regions: dict[str, Regions] = {}
    if given is None:
        rows, regions = _find(cfg, loaded, found_on, weights)
    else:
        regions[given.criterion] = fit(given, loaded.parts, weights, any_weights=cfg.any_weights)
    if cfg.published.file is not None:
        regions["published"] = _published(cfg, loaded)
    for found in regions.values():
        rows += with_reading(region_rows(found), found.reading)
    for first, second in combinations(regions.values(), 2):
        rows += with_reading(between_rows(first, second), first.reading, second.reading)
    ablated: Mapping[str, Any] = {}
    if cfg.ablation is not None:
        ablated = choose_regions(cfg, regions)
        rows += ablation_rows(cfg, loaded, measured_on, ablated, metrics)
    for found in regions.values():
        save(found, folder / "regions" / f"{found.criterion}.safetensors")
    keep(cfg, folder, _describe(cfg, loaded, found_on, regions, weights=weights, ablated=list(ablated)))
    origin = origin_of(checkpoint_of(cfg), cfg.model.revision)
    made_here = cfg.model.checkpoint is None and cfg.model.revision is None
    keys = {
        "run": folder.name,
        "step": cfg.model.recipe.steps if made_here else origin.step,
        "epoch": origin.epoch,
    }
    write(folder, "neurons", [{**keys, **row} for row in rows])
    run = read_run(folder)
    print_neurons(run)
    print(f"Wrote {write_neurons_page([run], folder / 'report.html')}")


def _find(cfg: DictConfig, loaded: Loaded, corpus: Corpus, weights: str) -> tuple[Rows, dict[str, Regions]]:
    """Run the model over the sentences, or find its activations in the store; score them, and find regions."""
    parts, pool = loaded.parts, build("pool", cfg.pool)
    prepared = prepare(corpus, loaded.tokenizer, max_tokens=cfg.max_tokens)
    pooling = OmegaConf.to_container(cfg.pool, resolve=True)
    key = {"weights": weights, "revision": cfg.model.revision, "dtype": cfg.model.dtype, "pool": pooling}
    store, reading = Path(cfg.store).expanduser(), READINGS[cfg.reading]
    pooled = embed_once(store, key, parts, prepared, pool, reading=reading, progress=progress)
    study = study_neurons(
        pooled,
        z=cfg.z is not None,
        permutations=cfg.permutations,
        legacy=cfg.legacy,
        seed=cfg.seed,
        progress=track_what("Scoring"),
    )
    rows = study.rows
    named: dict[str, Any] = {"weights": weights, "model": cfg.model.name}
    regions = {}
    if cfg.z is not None:
        named_z = {**named, "threshold": cfg.z.threshold, "reading": cfg.reading}
        regions["z"] = z_regions(study.z.items(), corpus.languages, **named_z)
        if study.chance:
            rows += null_size_rows(z_regions(study.chance.items(), corpus.languages, **named_z))
    if cfg.lape is not None:
        firing = count_firing(parts, prepared, reading=READINGS[cfg.lape.reading], progress=progress)
        masks = lape(firing.rates, share=cfg.lape.share, bar=cfg.lape.bar)
        settings = {"share": cfg.lape.share, "bar": cfg.lape.bar}
        by_language = dict(zip(corpus.languages, masks, strict=True))
        regions["lape"] = Regions(by_language, "lape", cfg.lape.reading, **named, settings=settings)
    return with_reading(rows, cfg.reading), regions


def _published(cfg: DictConfig, loaded: Loaded) -> Regions:
    file = Path(cfg.published.file).expanduser()
    found = read_published(file, list(cfg.published.languages), loaded.parts.neurons, model=cfg.model.name)
    return fit(found, loaded.parts, "")


def _describe(
    cfg: DictConfig,
    loaded: Loaded,
    corpus: Corpus,
    regions: Mapping[str, Regions],
    *,
    weights: str,
    ablated: list[str],
) -> dict[str, Any]:
    parts, choices = loaded.parts, HydraConfig.get().runtime.choices
    manifest = describe(
        loaded,
        corpus,
        weights=weights,
        tokens=prepare(corpus, loaded.tokenizer, max_tokens=cfg.max_tokens).tokens,
        pool=choices["pool"],
        setting={"freeze": "", "adapter": ""},
    )
    return manifest | {
        "revision": cfg.model.revision,
        "tensors": tensors_fingerprint(loaded.model, parts.family),
        "neurons": {
            "reading": cfg.reading,
            "layers": len(parts.blocks),
            "per_layer": parts.neurons,
            "criteria": {name: {"reading": found.reading, **found.settings} for name, found in regions.items()},
            "empty": {name: list(found.empty) for name, found in regions.items()},
            "found_on": len(corpus) if cfg.regions is None else 0,
            "measured_on": 0 if cfg.ablation is None else cfg.ablation.sentences,
            "ablated": ablated,
        },
    }
