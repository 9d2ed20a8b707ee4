"""Check that hooks will be called: compiled code skips hooks that are set after compilation."""

from babelscope.models.parts import Parts


def refuse_compiled(parts: Parts) -> None:
    """Refuse a model that is compiled, wholly or in part.

    Raises:
        ValueError: naming the first compiled module.
    """
    for name, module in parts.model.named_modules():
        # torch.compile wraps a module around the original; Module.compile replaces the call
        if hasattr(module, "_orig_mod") or module._compiled_call_impl is not None:
            raise ValueError(
                f"Expected a {parts.family.model_type} model that is not compiled, but got compiled "
                f"{f'module {name!r}' if name else type(module).__name__}, whose code passes hooks by; "
                "pass the model as it was loaded, and compile after measuring."
            )
