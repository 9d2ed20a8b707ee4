"""A function's signature is the schema of its configuration: keys and plain types, checked before anything slow."""

import inspect
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from omegaconf import DictConfig, OmegaConf

from babelscope.verbs.errors import nearest

MOST = 2**32 - 1
"""Of a whole number: NumPy takes no larger seed."""


def check_arguments(key: str, function: Any) -> None:
    """Refuse a keyword of a partial that its function does not have, or whose value is of another plain type.

    Args:
        key: Where the partial stands in the configuration; "" at its top.
        function: Anything; only a partial is checked.

    Raises:
        ValueError: naming the key, the value and what the signature asks for.
    """
    if not isinstance(function, partial):
        return
    known = inspect.signature(function.func).parameters
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in known.values())
    asked = function.func.__init__ if inspect.isclass(function.func) else function.func
    hints = get_type_hints(asked) if inspect.isfunction(asked) else {}
    for name, value in function.keywords.items():
        if name not in known and not takes_any:
            raise ValueError(
                f"Expected the keys of `{key}` to be among {', '.join(known)}, but got `{name}`; "
                f"nearest: {nearest(name, known)}."
            )
        if name in hints and not _fits(value, hints[name]):
            full = f"{key}.{name}" if key else name
            raise ValueError(f"Expected `{full}` to be {_name(hints[name])}, but got {value!r}; correct it.")


def check_numbers(cfg: DictConfig) -> None:
    """Refuse what is not a whole number in bounds where no signature says so."""
    for key, least, usual in (
        ("seed", 0, "0"),
        ("threads", 1, "null"),
        ("sentences", 1, "null"),
        ("max_tokens", 1, "4096"),
        ("batch_size", 1, "16"),
        ("limit", 1, "null"),
        ("num_fewshot", 0, "null"),
        ("max_length", 2, "null"),
        ("task.batch_size", 1, "16"),
        ("task.max_length", 2, "256"),
        ("task.examples", 1, "null"),
    ):
        optional = usual == "null"
        value = least if OmegaConf.is_missing(cfg, key) else OmegaConf.select(cfg, key, default=least)
        if value is None and optional:
            continue
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= MOST:
            bounds = f"{least} to {MOST}" if isinstance(value, int) and value > MOST else f"{least}"
            raise ValueError(
                f"Expected `{key}` to be a whole number from {bounds}{', or null' if optional else ''}, "
                f"but got {value!r}; the usual value is {key}={usual}."
            )


def check_texts(cfg: DictConfig) -> None:
    """Refuse a folder, file or checkpoint at the top of a configuration that is not text."""
    for key in ("cache", "store"):
        if key in cfg:
            _check_text(key, cfg[key], optional=False)
    for key in ("start", "start_revision", "folder", "include", "data", "counts"):
        if key in cfg:
            _check_text(key, cfg[key])


def check_model(model: DictConfig, key: str = "model") -> None:
    """Refuse what would run a checkpoint's code by a slip, and what cannot name a model.

    Args:
        model: The model's part of a configuration.
        key: Where it stands there.

    Raises:
        ValueError: naming the key, the value and the remedy.
    """
    trusted = model.get("trust_remote_code", False)
    if not isinstance(trusted, bool):  # to Python, any word is true
        raise ValueError(
            f"Expected `{key}.trust_remote_code` to be true or false, but got {_shown(trusted)}; write true only for a "
            "checkpoint whose code you have read."
        )
    for name in ("name", "checkpoint", "revision", "tokenizer"):
        _check_text(f"{key}.{name}", model.get(name))


def _check_text(key: str, value: Any, *, optional: bool = True) -> None:
    if (value is None and optional) or (isinstance(value, str) and value):
        return
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    remedy = f"as text it has quotes of its own: '{key}=\"...\"'" if is_number else "leave it out, or name one"
    raise ValueError(f"Expected `{key}` to be text{' or null' if optional else ''}, but got {_shown(value)}; {remedy}.")


def _shown(value: Any) -> str:
    return "null" if value is None else repr(value)


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value is of a plain type; types that YAML does not have are left to the function."""
    if get_origin(hint) in (Union, UnionType):
        return any(_fits(value, option) for option in get_args(hint))
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if hint is Path:
        return isinstance(value, str | Path)  # YAML has no paths
    return isinstance(value, hint) if hint in (bool, str, NoneType) else not _is_plain_only(hint, value)


def _is_plain_only(hint: Any, value: Any) -> bool:
    """Whether a bare word or number stands where a list or a mapping is wanted."""
    origin = get_origin(hint)
    wanted = isinstance(origin, type) and issubclass(origin, Mapping | list | tuple)
    return wanted and isinstance(value, str | int | float)


def _name(hint: Any) -> str:
    if get_origin(hint) in (Union, UnionType):
        return " or ".join(_name(option) for option in get_args(hint))
    if get_origin(hint) is Literal:
        return " or ".join(map(repr, get_args(hint)))
    names = {
        int: "a whole number",
        float: "a number",
        str: "text",
        Path: "a path",
        bool: "true or false",
        NoneType: "null",
    }
    return names.get(hint, getattr(hint, "__name__", str(hint)))
