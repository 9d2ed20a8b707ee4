"""What the settings of `babelscope tokens` have to be, checked before any table is read."""

from collections.abc import Callable
from typing import Any

from omegaconf import DictConfig, OmegaConf

from babelscope.data.dictionaries import LAYOUTS
from babelscope.verbs.config.values import Value, check_values, integer, is_integer, is_number, is_text, switch
from babelscope.verbs.errors import nearest


def check_token_settings(cfg: DictConfig) -> None:
    """Refuse what would fail late, or be taken for something else.

    Raises:
        ValueError: if a setting is wrong; key, value and remedy are named.
    """
    check_values(cfg, SECTIONS)
    known = [value.key.removeprefix("dictionary.") for value in DICTIONARY]
    if unknown := [str(key) for key in cfg.dictionary if key not in known]:
        raise ValueError(
            f"Expected the keys of `dictionary` to be among {', '.join(known)}, but got `{unknown[0]}`; "
            f"nearest: {nearest(unknown[0], known)}."
        )
    check_values(cfg, (*OWN, *PROBE, *PAIRS, *DICTIONARY))


def _are_numbers(value: Any) -> bool:
    return OmegaConf.is_list(value) and len(value) > 0 and all(is_integer(number, 1) for number in value)


def _are_files(value: Any) -> bool:
    return OmegaConf.is_dict(value) and all(is_text(file) for file in value.values())


def _or_null(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or fits(value)


SECTIONS = (
    Value("dictionary", "a mapping", OmegaConf.is_dict, "leave it out, or write dictionary.pieces=true and so on"),
    Value("probe", "a mapping or null", _or_null(OmegaConf.is_dict), "write probe=null for none, or leave it out"),
    Value("pairs", "a mapping or null", _or_null(OmegaConf.is_dict), "write pairs=null for none, or leave it out"),
)
OWN = (
    Value("labels", "script or legacy", lambda value: value in ("script", "legacy"), "choose one"),
    Value("k", "a list of whole numbers from 1", _are_numbers, "write k=[50,100]"),
    Value(
        "sample",
        "a number above 0 and at most 1, or null",
        _or_null(lambda value: is_number(value) and 0 < value <= 1),
        "write sample=0.01 for 1 % of the tokens, 1.0 for all, or null for 1 % but at least 2,000",
    ),
    switch("shared", "true"),
)
PROBE = (
    integer("probe.folds", 2, "10"),
    integer("probe.minimum", 2, "null"),
    integer("probe.limit", 2, "null"),
    integer("probe.draws", 1, "3"),
    integer("probe.max_iter", 1, "1000"),
)
PAIRS = (integer("pairs.k", 1, "100"), integer("pairs.sample", 1, "null"))
DICTIONARY = (
    Value(
        "dictionary.lab",
        "true, false or null",
        _or_null(lambda value: isinstance(value, bool)),
        "leave it out: null is for the lab's own models",
    ),
    Value(
        "dictionary.files",
        "files by pair of languages, or null",
        _or_null(_are_files),
        "write 'dictionary.files={eng-deu: FILE}'",
    ),
    Value(
        "dictionary.layout",
        f"one of {', '.join(LAYOUTS)}",
        lambda value: value in LAYOUTS,
        "choose that of dictionary.files",
    ),
    switch("dictionary.pieces", "true"),
    switch("dictionary.vocabulary", "true"),
)
