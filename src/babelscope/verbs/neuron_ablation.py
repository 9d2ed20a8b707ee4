"""Which regions `babelscope neurons` ablates, and what it measures meanwhile."""

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

from omegaconf import DictConfig
from torch import Tensor

from babelscope.analyses.neurons.ablation_losses import ablation_losses
from babelscope.analyses.neurons.ablation_scores import ablation_scores
from babelscope.analyses.neurons.classification_accuracy import classification_accuracy
from babelscope.analyses.neurons.language_loss import language_losses
from babelscope.analyses.regions import Regions
from babelscope.analyses.rows import Rows
from babelscope.data.corpora import Corpus
from babelscope.metrics.sample import LayerMetric
from babelscope.metrics.score import score
from babelscope.models.load import Loaded, MissingWeightsError
from babelscope.states import embed, prepare
from babelscope.verbs.config.building import build, build_model
from babelscope.verbs.config.neuron_conf import Ablation, check_criterion
from babelscope.verbs.terminal.console import console, track


def load_for(cfg: DictConfig, ablation: Ablation | None, labels: tuple[str, ...] | None) -> Loaded:
    """Load the model with the head that the measurements need: a classifier's, a language model's, or none.

    Raises:
        ValueError: if the checkpoint does not have that head.
    """
    if ablation is None:
        return build_model(cfg, head="base")
    try:
        loaded = build_model(cfg, head="lm" if labels is None else "classification", new_head=False)
    except MissingWeightsError as error:
        wanted = "is not a language model" if labels is None else "has no classifier"
        raise ValueError(
            f"{error} It {wanted}, so nothing can be measured while a region is ablated: ablation=null finds regions "
            "only."
        ) from error
    model: Any = loaded.model
    found = None if labels is None else model.config.num_labels
    if labels is not None and found != len(labels):
        raise ValueError(
            f"Expected `model.checkpoint` to be a classifier of the {len(labels)} labels of `task.corpus`, but it has "
            f"{found}; give the task that it was fine-tuned on."
        )
    return loaded


def choose_regions(ablation: Ablation, regions: Mapping[str, Regions], codes: list[str]) -> dict[str, Tensor]:
    """Choose the regions to ablate, by language, of those that are measured.

    Regions without a neuron, and those too large to be matched by as many other neurons in every block, are left out.

    Raises:
        ValueError: if no region is left, or one that was asked for by its language cannot be ablated.
    """
    check_criterion(ablation, regions)
    found = regions[ablation.criterion]
    reasons = left_out(found)
    for language in ablation.languages or ():
        reason = reasons.get(language, "" if language in found.masks else "has no mask in the file")
        if reason:
            raise ValueError(
                f"Expected `ablation.languages` to have regions that can be ablated, but that of {language} by "
                f"{ablation.criterion!r} {reason}; leave it out, or choose another ablation.criterion or threshold."
            )
    check_languages(found, codes)
    kept = [code for code in ablation.languages or found.languages if code in codes and code not in reasons]
    if not kept:
        raise ValueError(
            f"Expected regions to ablate, but those by {ablation.criterion!r} are all empty or too large; change "
            "the threshold, or choose another ablation.criterion."
        )
    if ablation.languages is None and reasons:
        told = ", ".join(f"{code} ({reason})" for code, reason in reasons.items())
        console.print(f"Not ablated ({ablation.criterion!r}): {told}")
    return {code: found.masks[code] for code in kept}


def check_languages(regions: Regions, codes: Collection[str]) -> None:
    """Refuse regions of which none is of a language that is measured.

    Raises:
        ValueError: if there is no such region; the languages that have one are named.
    """
    if not set(regions.languages) & set(codes):
        own = ", ".join(regions.languages)
        raise ValueError(
            f"Expected `languages.codes` to have languages whose regions by {regions.criterion!r} can be ablated, "
            f"but got {', '.join(codes)}, and the file has masks for {own} only; write languages.codes=[...] with "
            "some of these, or ablation=null."
        )


def left_out(regions: Regions) -> dict[str, str]:
    """Say why a region cannot be ablated, for every one that cannot."""
    width = regions.shape[1]
    full = {
        code: f"has {int(mask.sum(1).max())} of the {width} neurons of a block"
        for code, mask in regions.masks.items()
        if 2 * int(mask.sum(1).max()) > width
    }
    return {**dict.fromkeys(regions.empty, "is empty"), **full}


def ablation_rows(
    cfg: DictConfig,
    loaded: Loaded,
    corpus: Corpus,
    masks: Mapping[str, Tensor],
    *,
    ablation: Ablation,
    metrics: Mapping[str, LayerMetric],
    labels: tuple[str, ...] | None,
) -> Rows:
    """Measure the loss of every language or the accuracy, and chosen scores of layers, without each region in turn."""
    parts, tokenizer = loaded.parts, loaded.tokenizer
    options = {"controls": ablation.controls, "seed": cfg.seed}
    batch = {"max_tokens": cfg.max_tokens, "seed": cfg.seed, "targets": ablation.targets}
    again: list[tuple[Callable[[], Rows], tuple[float, float] | None]] = []  # with the least and greatest value
    rows: Rows = []
    if labels is not None:
        again.append((lambda: classification_accuracy(parts, tokenizer, corpus, labels), (0, 1)))
    else:

        def losses() -> Any:
            return language_losses(parts, tokenizer, corpus, **batch)

        rows += ablation_losses(parts, masks, losses, progress=partial(track, what="Ablating"), **options)
    if metrics:
        prepared, pool = prepare(corpus, tokenizer, max_tokens=cfg.max_tokens), build("pool", cfg.pool)
        again.append((lambda: list(score(embed(parts, prepared, pool).samples(), metrics)), None))
    for measure, within in again:
        progress = partial(track, what="Scoring without")
        rows += ablation_scores(parts, masks, measure, within=within, progress=progress, **options)
    return rows
