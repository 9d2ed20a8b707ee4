"""What a configuration of `babelscope neurons` has to hold, checked before anything slow, and its sentences."""

from collections.abc import Collection
from typing import Any

import torch
from omegaconf import DictConfig, ListConfig

from babelscope.analyses.neuron_scores import check_threshold
from babelscope.data.corpora import Corpus

CRITERIA = ("z", "lape", "published")
PLACES = ("down_input", "gate")
LEAST = 3
"""Sentences, for an interval over them."""


def check_neurons(cfg: DictConfig) -> None:
    """Refuse what would fail late.

    Raises:
        ValueError: naming the key, its value and the remedy.
    """
    languages = list(dict.fromkeys(cfg.languages.codes))
    if len(languages) < 2:
        raise ValueError(
            f"Expected `languages` to name at least 2 languages, for what neurons share, but got {len(languages)}; "
            "add some to languages.codes=[...]."
        )
    _choose("reading", cfg.reading, PLACES)
    _number("permutations", cfg.permutations, 0)
    if cfg.sentences is not None:
        _number("sentences", cfg.sentences, LEAST)
    if cfg.z is not None:
        if not isinstance(cfg.z.threshold, int | float):
            raise ValueError(f"Expected `z.threshold` to be a number, but got {cfg.z.threshold!r}; the usual one is 2.")
        if cfg.regions is None:
            check_threshold(cfg.z.threshold, len(languages))
    if cfg.lape is not None:
        _choose("lape.reading", cfg.lape.reading, PLACES)
    if cfg.regions is None and cfg.z is None and cfg.lape is None and cfg.published.file is None and cfg.ablation:
        raise ValueError(
            "Expected a criterion for the regions that `ablation` switches off, but got none; set z.threshold or "
            "lape.share, give regions=FILE, or write ablation=null."
        )
    if cfg.ablation is not None:
        _choose("ablation.criterion", cfg.ablation.criterion, CRITERIA)
        _number("ablation.sentences", cfg.ablation.sentences, 2)
        _number("ablation.controls", cfg.ablation.controls, 2)
        if not isinstance(cfg.ablation.languages, ListConfig | None):
            raise ValueError(
                f"Expected `ablation.languages` to be a list of codes, but got {cfg.ablation.languages!r}; write "
                f"ablation.languages=[{cfg.ablation.languages}]."
            )
        if cfg.regions is None:
            sources = {"z": cfg.z, "lape": cfg.lape, "published": cfg.published.file}
            check_criterion(cfg, [name for name, source in sources.items() if source is not None])
    elif cfg.get("metrics") or cfg.get("task"):
        asked = "metrics" if cfg.get("metrics") else "task"
        raise ValueError(
            f"Expected `ablation` to be on for `{asked}`, which is measured while a region is off, but got null; leave "
            f"{asked} out, or `babelscope probe` for scores of the whole model."
        )


def check_criterion(cfg: DictConfig, found: Collection[str]) -> None:
    """Refuse to switch off regions by a criterion that none were found by.

    Raises:
        ValueError: naming those that there are.
    """
    if cfg.ablation.criterion not in found:
        raise ValueError(
            f"Expected `ablation.criterion` to be one of the criteria that regions were found by "
            f"({', '.join(found)}), but got {cfg.ablation.criterion!r}; choose one of them."
        )


def split_corpus(cfg: DictConfig, corpus: Corpus) -> tuple[Corpus, Corpus]:
    """Draw the sentences in which regions are sought and, apart from them, those on which their loss is measured.

    The first are the sentences that `babelscope probe` draws with the same seed and number.

    Raises:
        ValueError: if the corpus has too few.
    """
    apart = 0 if cfg.ablation is None else cfg.ablation.sentences
    wanted = max(len(corpus) - apart, 0) if cfg.sentences is None else cfg.sentences
    if wanted + apart > len(corpus) or wanted < LEAST:
        raise ValueError(
            f"Expected corpus {corpus.name!r} to have {max(wanted, LEAST)} sentences to seek regions in and {apart} "
            f"others to switch them off on, but got {len(corpus)}; lower `sentences` or `ablation.sentences`, or take "
            "another split."
        )
    order: Any = torch.randperm(len(corpus), generator=torch.Generator().manual_seed(cfg.seed)).tolist()
    return corpus.take(sorted(order[:wanted])), corpus.take(sorted(order[wanted : wanted + apart] or order[:1]))


def _choose(key: str, value: Any, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"Expected `{key}` to be one of {', '.join(known)}, but got {value!r}; choose one.")


def _number(key: str, value: Any, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"Expected `{key}` to be a whole number from {least}, but got {value!r}; correct it.")
