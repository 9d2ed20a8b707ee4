"""Which regions `babelscope neurons` switches off, and what it measures then."""

from collections.abc import Callable, Mapping
from typing import Any

from omegaconf import DictConfig
from torch import Tensor

from babelscope.analyses.deactivation import deactivation
from babelscope.analyses.language_loss import language_losses
from babelscope.analyses.regions import Regions
from babelscope.analyses.rescoring import score_without
from babelscope.analyses.topic_accuracy import topic_accuracy
from babelscope.data.corpora import Corpus
from babelscope.data.tasks import label_names
from babelscope.metrics.sample import LayerMetric
from babelscope.metrics.score import score
from babelscope.models.load import Loaded, Task
from babelscope.states import embed, prepare
from babelscope.verbs.building import build
from babelscope.verbs.console import console, track_what
from babelscope.verbs.neuron_conf import check_criterion

Rows = list[dict[str, Any]]


def head_of(cfg: DictConfig) -> Task:
    """Choose the head that the measurements need: a classifier's, a language model's, or none."""
    if cfg.ablation is None:
        return "base"
    return "topic" if cfg.get("task") and cfg.task.name == "topic" else "lm"


def choose_regions(cfg: DictConfig, regions: Mapping[str, Regions]) -> dict[str, Tensor]:
    """Choose the regions to switch off, by language; those without a neuron are named and left out.

    Raises:
        ValueError: if the criterion was not asked for, or a language that was asked for has no region.
    """
    wanted = cfg.ablation.criterion
    check_criterion(cfg, regions)
    found = regions[wanted]
    asked = None if cfg.ablation.languages is None else list(dict.fromkeys(cfg.ablation.languages))
    for language in asked or ():
        if language not in found.masks:
            raise ValueError(
                f"Expected `ablation.languages` to have regions, but got {language!r}; those with one are "
                f"{', '.join(name for name in found.languages if name not in found.empty)}."
            )
        if language in found.empty:
            raise ValueError(
                f"Expected `ablation.languages` to have neurons of their own, but the region of {language} by "
                f"{wanted!r} is empty; lower the threshold, or leave it out."
            )
    kept = [name for name in asked or found.languages if name not in found.empty]
    if not kept:
        raise ValueError(
            f"Expected regions to switch off, but those by {wanted!r} are all empty; lower the threshold, or choose "
            "another ablation.criterion."
        )
    if asked is None and found.empty:
        console.print(f"Without a region by {wanted!r}: {', '.join(found.empty)}")
    return {name: found.masks[name] for name in kept}


def ablation_rows(
    cfg: DictConfig,
    loaded: Loaded,
    corpus: Corpus,
    masks: Mapping[str, Tensor],
    metrics: Mapping[str, LayerMetric],
) -> Rows:
    """Measure the loss of every language or the accuracy, and chosen scores of layers, without each region in turn."""
    parts, tokenizer = loaded.parts, loaded.tokenizer
    options = {"controls": cfg.ablation.controls, "seed": cfg.seed}
    again: list[Callable[[], Rows]] = []
    rows: Rows = []
    if head_of(cfg) == "topic":
        labels = label_names(build("task.corpus", cfg.task.corpus)([corpus.languages[0]], split=cfg.task.train))
        again.append(lambda: topic_accuracy(parts, tokenizer, corpus, labels))
    else:

        def losses() -> Any:
            return language_losses(parts, tokenizer, corpus, max_tokens=cfg.max_tokens, seed=cfg.seed)

        rows += deactivation(parts, masks, losses, progress=track_what("Switching off"), **options)
    if metrics:
        prepared, pool = prepare(corpus, tokenizer, max_tokens=cfg.max_tokens), build("pool", cfg.pool)
        again.append(lambda: list(score(embed(parts, prepared, pool).samples(), metrics)))
    for measure in again:
        rows += score_without(parts, masks, measure, progress=track_what("Scoring without"), **options)
    return rows
