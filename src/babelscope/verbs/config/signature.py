"""A function's signature is the schema of its configuration: keys and plain types, checked before anything slow."""

import inspect
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import FunctionType, NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from omegaconf import DictConfig
from torch import Tensor

from babelscope.verbs.errors import nearest

NAMED = 16
"""More keys than these are too many for one line."""


def check_arguments(key: str, function: Any) -> None:
    """Refuse a keyword of a partial that its function does not have, or whose value is of another plain type.

    Args:
        key: Where the partial stands in the configuration; "" at its top.
        function: Anything; only a partial is checked.

    Raises:
        ValueError: if there is one; key, value and what the signature asks for are named.
    """
    if not isinstance(function, partial):
        return
    known = inspect.signature(function.func).parameters
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in known.values())
    asked = function.func.__init__ if inspect.isclass(function.func) else function.func
    hints = _hints(asked) if inspect.isfunction(asked) else {}
    for name, value in function.keywords.items():
        if name not in known and not takes_any:
            among = ", ".join(known) if len(known) <= NAMED else f"those of {function.func.__name__}"
            raise ValueError(
                f"Expected the keys of `{key}` to be among {among}, but got `{name}`; nearest: {nearest(name, known)}."
            )
        stands_for_none = value is None and name in known and known[name].default is None  # whatever its type says
        if name in hints and not stands_for_none and not _fits(value, hints[name]):
            full = f"{key}.{name}" if key else name
            raise ValueError(
                f"Expected `{full}` to be {_name(hints[name])}, but got {_shown(value)}; correct it, or leave it out."
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
    """Refuse what would run a checkpoint's code by mistake, and what cannot name a model.

    Args:
        model: The model's part of a configuration.
        key: Where it stands there.

    Raises:
        ValueError: if a value is none of these; key, value and remedy are named.
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


def _hints(function: FunctionType) -> dict[str, Any]:
    """Read the types of its arguments, where they can be: some are imported for a type checker alone."""
    try:
        return get_type_hints(function)
    except NameError:
        return {}


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value is of a plain type; types that YAML does not have are left to the function, but for null."""
    if get_origin(hint) in (Union, UnionType):
        return any(_fits(value, option) for option in get_args(hint))
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if hint in (int, float):
        return isinstance(value, (int, hint)) and not isinstance(value, bool)
    if hint is Path:
        return isinstance(value, str | Path)  # YAML has no paths
    if value is None and inspect.isclass(hint):
        return hint in (NoneType, object, Any)
    return isinstance(value, hint) if hint in (bool, str, NoneType) else not _is_plain_only(hint, value)


def _is_plain_only(hint: Any, value: Any) -> bool:
    """Whether a bare word or number stands where a list or a mapping is wanted."""
    origin = get_origin(hint)
    wanted = isinstance(origin, type) and issubclass(origin, Mapping | list | tuple)
    return wanted and isinstance(value, str | int | float)


def _name(hint: Any) -> str:
    if get_origin(hint) in (Union, UnionType):
        options = [option for option in get_args(hint) if option is not Tensor]  # which YAML does not have
        return " or ".join(map(_name, options))
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
