"""What a configuration of `babelscope neurons` has to hold, checked before anything slow, and its sentences."""

from collections.abc import Collection
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

from omegaconf import DictConfig, OmegaConf

from babelscope.analyses.neurons.scores import check_threshold
from babelscope.data.corpora import Corpus
from babelscope.data.labelled import shuffled
from babelscope.states.neurons import Place
from babelscope.verbs.config.signature import check_arguments
from babelscope.verbs.config.values import Value, check_values, integer, is_finite, is_number

Section = TypeVar("Section")
LEAST = 3
"""Sentences, for an interval over them."""


def _is_between_0_and_1(value: Any) -> bool:
    return is_number(value) and 0 < value < 1


def _file(key: str) -> Value:
    """Make the row of a file that is read."""
    return Value(
        key,
        "null or a file",
        lambda value: value is None or Path(value).expanduser().is_file(),
        "there is none; correct the path",
    )


VALUES = (
    integer("permutations", 0, "20"),
    integer("sentences", LEAST, "null"),
    Value("z.threshold", "a positive number", lambda value: is_finite(value) and value > 0, "the usual one is 2"),
    Value(
        "lape.share",
        "between 0 and 1, or null",
        lambda value: value is None or _is_between_0_and_1(value),
        "the usual value is lape.share=null",
    ),
    Value("lape.bar", "between 0 and 1", _is_between_0_and_1, "the usual value is lape.bar=0.95"),
    integer("ablation.sentences", 2, "40"),
    integer("ablation.controls", 2, "5"),
    integer("ablation.targets", 1, "5", optional=True),
    _file("regions"),
    _file("published.file"),
)
"""Beyond the types, which the signatures tell."""


@dataclass(frozen=True)
class ZRule:
    """Section `z`."""

    threshold: float


@dataclass(frozen=True)
class LapeRule:
    """Section `lape`."""

    reading: Place
    share: float | None
    bar: float


@dataclass(frozen=True)
class Published:
    """Section `published`."""

    file: str | None
    languages: list[str]


@dataclass(frozen=True)
class Ablation:
    """Section `ablation`."""

    criterion: Literal["z", "lape", "published"]
    languages: list[str] | None
    sentences: int
    controls: int
    targets: int | None


@dataclass(frozen=True)
class Settings:
    """Settings of `babelscope neurons`, beyond model and corpus."""

    reading: Place
    permutations: int
    legacy: bool
    any_weights: bool
    regions: str | None
    z: ZRule | None
    lape: LapeRule | None
    published: Published
    ablation: Ablation | None


def read_settings(cfg: DictConfig) -> Settings:
    """Check types, values and what goes together.

    Raises:
        ValueError: if any of them is wrong; the first is named.
    """
    if not OmegaConf.is_list(cfg.languages.codes) or len(set(cfg.languages.codes)) < 2:
        raise ValueError(
            f"Expected `languages.codes` to list at least 2 languages, because neurons are compared across languages, "
            f"but got {cfg.languages.codes}; write languages.codes=[eng_Latn,deu_Latn,...]."
        )
    codes = list(cfg.languages.codes)
    if twice := [code for code in codes if codes.count(code) > 1]:
        raise ValueError(
            f"Expected `languages.codes` to name every language once, but got {twice[0]!r} twice; leave one out."
        )
    plain = {name: cfg[name] for name in ("reading", "permutations", "legacy", "any_weights", "regions")}
    check_arguments("", partial(Settings, **plain))
    settings = Settings(
        **plain,
        z=_section("z", cfg.z, ZRule),
        lape=_section("lape", cfg.lape, LapeRule),
        published=_section("published", cfg.published, Published) or Published(None, []),
        ablation=_section("ablation", cfg.ablation, Ablation),
    )
    check_values(cfg, VALUES)
    if settings.z is not None and settings.regions is None:
        check_threshold(settings.z.threshold, len(codes), name="`z.threshold`")
    _check_together(settings, cfg)
    return settings


def _section(key: str, node: Any, kind: type[Section]) -> Section | None:
    if node is None:
        return None
    if not OmegaConf.is_dict(node):
        names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
        raise ValueError(
            f"Expected `{key}` to be null or to have {', '.join(names)}, but got {node}; write {key}.{names[0]}=VALUE."
        )
    given: Any = OmegaConf.to_container(node, resolve=True)
    check_arguments(key, partial(kind, **given))
    return kind(**given)


def _check_together(settings: Settings, cfg: DictConfig) -> None:
    published, ablation = settings.published, settings.ablation
    if published.languages and published.file is None:
        raise ValueError("Expected `published.languages` with `published.file`, but got no file; give both or neither.")
    if ablation is None:
        for asked in ("metrics", "task"):
            if cfg.get(asked):
                raise ValueError(
                    f"Expected `ablation` to be on for `{asked}`, which is measured while a region is ablated, but got "
                    f"null; leave {asked} out, or `babelscope probe` for scores of the whole model."
                )
        return
    if cfg.get("task") and cfg.task.name != "topic":
        raise ValueError(
            "Expected `task` to be topic, whose accuracy is measured while a region is ablated, but got "
            f"{cfg.task.name}; leave it out for the loss of a language model."
        )
    codes = list(cfg.languages.codes)
    if ablation.languages is not None and (unknown := set(ablation.languages) - set(codes)):
        raise ValueError(
            f"Expected `ablation.languages` to be among the languages, but got {min(unknown)!r}; "
            f"those are {', '.join(codes)}."
        )
    if ablation.languages == []:
        raise ValueError("Expected `ablation.languages` to name a language, but got none; write null for all of them.")
    if settings.regions is None:
        sources = {"z": settings.z, "lape": settings.lape, "published": published.file}
        check_criterion(ablation, [name for name, source in sources.items() if source is not None])


def check_criterion(ablation: Ablation, found: Collection[str]) -> None:
    """Refuse to ablate regions of a criterion that found none.

    Raises:
        ValueError: if there are none; the criteria that found some are named.
    """
    if ablation.criterion not in found:
        raise ValueError(
            f"Expected `ablation.criterion` to be one of the criteria that regions are found by "
            f"({', '.join(found) or 'none'}), but got {ablation.criterion!r}; choose one of them, or ablation=null."
        )


def split_corpus(settings: Settings, corpus: Corpus, *, sentences: int | None, seed: int) -> tuple[Corpus, Corpus]:
    """Draw the sentences for finding regions and, apart from them, those for measuring the loss.

    The first are the sentences that `babelscope probe` draws with the same seed and number.

    Raises:
        ValueError: if the corpus has too few.
    """
    apart = 0 if settings.ablation is None else settings.ablation.sentences
    wanted = max(len(corpus) - apart, 0) if sentences is None else sentences
    if settings.regions is not None:  # found elsewhere; as many of the same sentences as possible are set aside
        wanted = max(min(wanted, len(corpus) - apart), LEAST)
    if wanted + apart > len(corpus) or wanted < LEAST:
        raise ValueError(
            f"Expected corpus {corpus.name!r} to have {max(wanted, LEAST)} sentences for finding regions and {apart} "
            f"others for ablating them, but got {len(corpus)}; lower `sentences` or `ablation.sentences`, or take "
            "another split."
        )
    order = shuffled(len(corpus), seed)
    return corpus.take(sorted(order[:wanted])), corpus.take(sorted(order[wanted : wanted + apart] or order[:1]))
