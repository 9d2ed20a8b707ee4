"""Names of functions with their settings, to distinguish one measurement from another."""

import re
from functools import partial


def describe(value: object) -> str:
    """Name a function, and what is set of it by `partial`; any other value is written as in code.

    Of any other object, only its `repr` counts.
    """
    if not isinstance(value, partial):
        named = getattr(value, "__qualname__", None)
        # an address would be another one in every process
        return str(named) if callable(value) and named else re.sub(r" at 0x[0-9a-f]+", "", repr(value))
    settings = [f"{name}={describe(given)}" for name, given in sorted(value.keywords.items())]
    return f"{describe(value.func)}({', '.join([*map(describe, value.args), *settings])})"
