"""What a function and its settings are called, to tell one measurement from another."""

from functools import partial


def describe(value: object) -> str:
    """Name a function, and what is set of it by `partial`; any other value is written as in code."""
    if not isinstance(value, partial):
        return str(getattr(value, "__qualname__", type(value).__qualname__)) if callable(value) else repr(value)
    settings = [f"{name}={describe(given)}" for name, given in sorted(value.keywords.items())]
    return f"{describe(value.func)}({', '.join([*map(describe, value.args), *settings])})"
