"""`babelscope neurons`: find, compare and ablate language-specific FFN neurons."""

from collections.abc import Mapping
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from babelscope.analyses.neurons.lape import lape
from babelscope.analyses.neurons.published_regions import read_published
from babelscope.analyses.neurons.region_rows import between_rows, null_size_rows, region_rows
from babelscope.analyses.neurons.study import study_neurons, with_reading
from babelscope.analyses.region_files import check_model, read, save
from babelscope.analyses.regions import Regions, z_regions
from babelscope.analyses.rows import Rows
from babelscope.data.tasks import label_names
from babelscope.models.fingerprint import tensors_fingerprint, weights_fingerprint
from babelscope.models.load import Loaded
from babelscope.report.neurons.page import write_neurons_page
from babelscope.report.table import read_run, write
from babelscope.states import Prepared, prepare
from babelscope.states.firing import count_firing
from babelscope.states.reading import READINGS
from babelscope.verbs.config.building import (
    begin,
    build,
    build_metrics,
    checkpoint_of,
    choose_device,
    languages_of,
    read_parallel,
    write_run_files,
)
from babelscope.verbs.config.neuron_conf import LapeRule, Settings, read_settings, split_corpus
from babelscope.verbs.config.trained_text import warn_trained
from babelscope.verbs.folder.manifest import describe
from babelscope.verbs.folder.origin import origin_of
from babelscope.verbs.folder.stored import embed_stored
from babelscope.verbs.neuron_ablation import ablation_rows, check_languages, choose_regions, left_out, load_for
from babelscope.verbs.terminal.console import track
from babelscope.verbs.terminal.neurons import print_neurons

PUBLISHED_SHARE, SMALL_SHARE, SMALL = 0.01, 0.05, 10_000
"""Of LAPE's neurons: the published share, and that of a model with fewer neurons than this."""


def main(cfg: DictConfig, folder: Path) -> None:
    """Find or read regions, describe, compare and ablate them, and write rows, files and page."""
    begin(cfg)
    codes, settings = languages_of(cfg), read_settings(cfg)
    metrics = build_metrics(cfg) if cfg.get("metrics") else {}
    device = choose_device(cfg.device)
    corpus = read_parallel(cfg, codes)
    found_on, measured_on = split_corpus(settings, corpus, sentences=cfg.sentences, seed=cfg.seed)
    warn_trained(cfg, found_on)
    labels = (
        label_names(build("task.corpus", cfg.task.corpus)([codes[0]], split=cfg.task.train))
        if cfg.get("task")
        else None
    )
    given = None if settings.regions is None else read(Path(settings.regions).expanduser())
    if given is not None and settings.ablation is not None:
        check_languages(given, codes)
    loaded = load_for(cfg, settings.ablation, labels)
    loaded.model.to(device)
    weights = weights_fingerprint(loaded.model, loaded.parts.family)
    prepared = prepare(found_on, loaded.tokenizer, max_tokens=cfg.max_tokens)
    published = _published(cfg, settings, loaded)
    rows: Rows = []
    regions: dict[str, Regions] = {}
    if given is None:
        rows, regions = _find(cfg, settings, loaded, prepared, weights)
    else:
        regions[given.criterion] = check_model(given, loaded.parts, weights, any_weights=settings.any_weights)
    regions |= published
    for found in regions.values():
        rows += with_reading(region_rows(found), found.reading)
    for first, second in combinations(regions.values(), 2):
        rows += with_reading(between_rows(first, second), first.reading, second.reading)
    facts = _facts(settings, loaded, regions, len(found_on))
    if settings.ablation is not None:
        masks = choose_regions(settings.ablation, regions, codes)
        _save(regions, folder / "regions")  # now, for ablation takes hundreds of passes
        if given is None and settings.ablation.criterion not in published:
            file = folder / "regions" / f"{settings.ablation.criterion}.safetensors"
            print(f"Wrote the regions; if this is interrupted, regions={file} ablates them without another search")
        rows += ablation_rows(
            cfg, loaded, measured_on, masks, ablation=settings.ablation, metrics=metrics, labels=labels
        )
        facts |= {"ablated": list(masks), "left_out": left_out(regions[settings.ablation.criterion])}
    else:
        _save(regions, folder / "regions")
    write_run_files(cfg, folder, _describe(cfg, loaded, prepared, weights) | {"neurons": facts})
    origin = origin_of(checkpoint_of(cfg), cfg.model.revision)
    made_here = cfg.model.checkpoint is None and cfg.model.revision is None
    step = cfg.model.recipe.steps if made_here else origin.step
    write(folder, "neurons", [{"run": folder.name, "step": step, "epoch": origin.epoch, **row} for row in rows])
    run = read_run(folder)
    print_neurons(run)
    print(f"Wrote {write_neurons_page([run], folder / 'report.html')}")


def _find(
    cfg: DictConfig, settings: Settings, loaded: Loaded, prepared: Prepared, weights: str
) -> tuple[Rows, dict[str, Regions]]:
    """Run the model over the sentences, or find its activations in the store; score them, and find regions."""
    pool, corpus = build("pool", cfg.pool), prepared.corpus
    pooled = embed_stored(cfg, loaded, prepared, pool, weights, reading=READINGS[settings.reading])
    study = study_neurons(
        pooled,
        z=settings.z is not None,
        permutations=settings.permutations,
        legacy=settings.legacy,
        seed=cfg.seed,
        progress=partial(track, what="Scoring"),
    )
    rows, origin = study.rows, {"weights": weights, "model": cfg.model.name}
    regions = {}
    if settings.z is not None:
        rule: dict[str, Any] = {"threshold": settings.z.threshold, "reading": settings.reading, **origin}
        regions["z"] = z_regions(study.z.items(), corpus.languages, **rule)
        if study.chance:
            rows += null_size_rows(z_regions(study.chance.items(), corpus.languages, **rule))
    if settings.lape is not None:
        regions["lape"] = _lape(settings.lape, loaded, prepared, origin)
    return with_reading(rows, settings.reading), regions


def _lape(rule: LapeRule, loaded: Loaded, prepared: Prepared, origin: Mapping[str, str]) -> Regions:
    rates = count_firing(
        loaded.parts, prepared, reading=READINGS[rule.reading], progress=partial(track, what="Embedding")
    ).rates
    neurons = rates[0].numel()
    share = (PUBLISHED_SHARE if neurons >= SMALL else SMALL_SHARE) if rule.share is None else rule.share
    masks = dict(zip(prepared.corpus.languages, lape(rates, share=share, bar=rule.bar), strict=True))
    return Regions(masks, "lape", rule.reading, **origin, settings={"share": share, "bar": rule.bar})


def _published(cfg: DictConfig, settings: Settings, loaded: Loaded) -> dict[str, Regions]:
    if settings.published.file is None:
        return {}
    file = Path(settings.published.file).expanduser()
    found = read_published(file, settings.published.languages, loaded.parts.neurons, model=cfg.model.name)
    return {"published": check_model(found, loaded.parts, "")}


def _save(regions: Mapping[str, Regions], folder: Path) -> None:
    """Write the regions; those of other criteria, of an earlier attempt in this folder, are removed."""
    files = [save(found, folder / f"{found.criterion}.safetensors") for found in regions.values()]
    for old in {*folder.glob("*.safetensors")} - {*files}:
        old.unlink()


def _facts(settings: Settings, loaded: Loaded, regions: Mapping[str, Regions], found_on: int) -> dict[str, Any]:
    """Describe the neurons for the page."""
    given = settings.regions is not None
    return {
        "reading": next(iter(regions.values())).reading if given else settings.reading,
        "layers": len(loaded.parts.blocks),
        "per_layer": loaded.parts.neurons,
        "criteria": {name: {"reading": found.reading, **found.settings} for name, found in regions.items()},
        "empty": {name: list(found.empty) for name, found in regions.items()},
        "found_on": 0 if given else found_on,
        "measured_on": 0 if settings.ablation is None else settings.ablation.sentences,
        "ablated": [],
    }


def _describe(cfg: DictConfig, loaded: Loaded, prepared: Prepared, weights: str) -> dict[str, Any]:
    manifest = describe(
        loaded,
        prepared.corpus,
        weights=weights,
        tokens=prepared.tokens,
    )
    tensors = tensors_fingerprint(loaded.model, loaded.parts.family)
    return manifest | {"revision": cfg.model.revision, "tensors": tensors}
