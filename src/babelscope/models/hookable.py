"""Check that hooks will be called: compiled code bypasses hooks that are set after compilation."""

from babelscope.models.families import Family
from babelscope.models.parts import Parts


def refuse_compiled(parts: Parts) -> None:
    """Refuse a model that is compiled, wholly or in part.

    Raises:
        ValueError: if a module is compiled; it names the first one.
    """
    for name, module in parts.model.named_modules():
        # torch.compile wraps a module around the original; Module.compile replaces the call
        if hasattr(module, "_orig_mod") or module._compiled_call_impl is not None:
            raise ValueError(
                f"Expected a {parts.family.model_type} model that is not compiled, but got compiled "
                f"{f'module {name!r}' if name else type(module).__name__}, which bypasses hooks; "
                "pass the model as it was loaded, and compile after measuring."
            )


def remedy_for_bypassed(family: Family, other: str) -> str:
    """Say what to do where a model's code bypasses the module that a row names: the end of an error.

    Args:
        family: The row.
        other: What can be chosen instead, such as "reading".
    """
    setting = "" if family.bypass_remedy is None else f", or {family.bypass_remedy}"
    return f"correct that path in the row of family {family.model_type!r}, or choose the other {other}{setting}."
