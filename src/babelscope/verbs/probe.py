"""`babelscope probe`: score every layer of one checkpoint."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig

from babelscope.data.corpora import Corpus
from babelscope.metrics.drift import needs_start
from babelscope.metrics.sample import LayerMetric, LayerSample
from babelscope.models.fingerprint import weights_fingerprint
from babelscope.models.load import Loaded
from babelscope.report.page import write_page
from babelscope.report.table import read_run, write
from babelscope.states import Pooled, prepare
from babelscope.states.pool import Pool
from babelscope.states.store import StoredLayers
from babelscope.verbs.config.building import (
    begin,
    build,
    build_corpus,
    build_metrics,
    build_model,
    choose_device,
    languages_of,
    write_run_files,
)
from babelscope.verbs.config.conf import fingerprint
from babelscope.verbs.config.named_models import choose_model, model_names
from babelscope.verbs.config.trained_text import warn_trained
from babelscope.verbs.folder.manifest import describe
from babelscope.verbs.folder.scored_layers import forget_layers, score_layers
from babelscope.verbs.folder.stored import embed_stored
from babelscope.verbs.terminal.console import first_columns, print_layers, track


def main(cfg: DictConfig, folder: Path) -> None:
    """Embed the corpus, or find its states in the store; score every layer; write rows, manifest and page."""
    begin(cfg)
    metrics, pool, device = build_metrics(cfg), build("pool", cfg.pool), choose_device(cfg.device)
    corpus = build_corpus(cfg, languages_of(cfg), sentences=cfg.sentences)
    warn_trained(cfg, corpus)
    begins = _start_of(cfg) if _is_compared(cfg, metrics) else None
    start = None if begins is None else _embed_start(begins, corpus, pool, device)
    loaded, now = _embed(cfg, corpus, pool, device)
    if start is not None and start.tokens != now.tokens:
        raise ValueError(
            f"Expected `start` to read the sentences as the same tokens as the model, but got {cfg.start!r}, which "
            "reads others; give the checkpoint that this one was trained from."
        )
    rows, wrote = _score(cfg, folder, now, start, metrics)
    manifest = describe(loaded, corpus, weights=now.weights, tokens=now.tokens)
    if begins is not None and start is not None:
        model = begins.model
        named = {"model": str(model.checkpoint or model.name), "revision": model.revision, "weights": start.weights}
        manifest["start"] = named
    write_run_files(cfg, folder, {**manifest, "revision": cfg.model.revision})
    write(folder, "layers-00000000", ({"run": folder.name, "step": 0, "epoch": 0, **row} for row in rows))
    forget_layers(folder)
    run = read_run(folder)
    page = write_page([run], folder / "report.html")
    # one column of every metric, then as many of the companions as a terminal holds
    first, means = first_columns(metrics, wrote), {row["metric"] for row in rows if not row["language"]}
    others = [column for column in wrote if column in means and column not in first]
    print_layers(run, [*first, *others][: max(7, len(first))])
    print(f"Wrote {page}")


@dataclass(frozen=True)
class Embedded:
    """The states of a checkpoint, and what they are of."""

    weights: str
    tokens: str
    pooled: Pooled


def _embed(cfg: DictConfig, corpus: Corpus, pool: Pool, device: torch.device) -> tuple[Loaded, Embedded]:
    """Embed the corpus by one checkpoint, or find its states in the store."""
    loaded = build_model(cfg, head="base")
    loaded.model.to(device)
    prepared = prepare(corpus, loaded.tokenizer, max_tokens=cfg.max_tokens)
    weights = weights_fingerprint(loaded.model, loaded.parts.family)
    return loaded, Embedded(weights, prepared.tokens, embed_stored(cfg, loaded, prepared, pool, weights))


def _score(
    cfg: DictConfig, folder: Path, now: Embedded, start: Embedded | None, metrics: Mapping[str, LayerMetric]
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Score every layer that an earlier command has not: rows, and the name of the metric of each column."""

    def others(finished: Sequence[str]) -> Iterator[tuple[str, LayerSample]]:
        return _without(now.pooled, finished).samples(None if start is None else _without(start.pooled, finished))

    layers = list(now.pooled.layers)
    key = {"config": fingerprint(cfg), "tokens": now.tokens, "weights": now.weights}
    return score_layers(
        folder,
        key if start is None else {**key, "start": start.weights},
        layers,
        others,
        metrics,
        progress=lambda samples, done: track(samples, "Scoring layers", total=len(layers), completed=done),
    )


def _without(pooled: Pooled, layers: Sequence[str]) -> Pooled:
    """Leave out layers, without reading any."""
    assert isinstance(pooled.layers, StoredLayers)
    others = tuple(layer for layer in pooled.layers if layer not in layers)
    return replace(pooled, layers=StoredLayers(pooled.layers.folder, others))


def _embed_start(cfg: DictConfig, corpus: Corpus, pool: Pool, device: torch.device) -> Embedded:
    """Embed the corpus by the checkpoint of step 0, which errors name by its own key."""
    try:
        return _embed(cfg, corpus, pool, device)[1]
    except (ValueError, OSError) as error:
        if "model.checkpoint" not in str(error):
            raise
        key = "start_revision" if cfg.start is None else "start"
        raise ValueError(str(error).replace("model.checkpoint", key)) from error


def _is_compared(cfg: DictConfig, metrics: Mapping[str, LayerMetric]) -> bool:
    """Whether there is a step 0 to compare with, as the metrics want it."""
    wanting = [name for name, metric in metrics.items() if needs_start(metric)]
    given = cfg.start is not None or cfg.start_revision is not None
    if wanting and not given:
        raise ValueError(
            f"Expected `start` to be the checkpoint that `{wanting[0]}` compares with, but got null; "
            f"add start=CHECKPOINT, or leave {wanting[0]} out of metrics."
        )
    if given and not wanting:
        raise ValueError(
            f"Expected a metric that compares with `start`, but got metrics=[{','.join(metrics)}]; add drift to them, "
            "or leave `start` out."
        )
    return given


def _start_of(cfg: DictConfig) -> DictConfig:
    """The same configuration for the checkpoint of step 0: a name of conf/model, a Hub id or a folder."""
    begins = cfg.copy()
    if cfg.start in model_names():
        begins.model = choose_model(cfg.start)
    elif cfg.start is not None:
        begins.model.checkpoint = cfg.start
    begins.model.revision = cfg.start_revision
    return begins
