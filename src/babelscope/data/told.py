"""The language that translation models are told with a text, by a token beside it: NLLB, M2M-100, mBART."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from babelscope.data.short_codes import SHORT


def tells(tokenizer: Any) -> bool:
    """Say whether a tokenizer tells its model the language of a text."""
    return hasattr(type(tokenizer), "src_lang")


@contextmanager
def told(tokenizer: Any, language: str | None) -> Iterator[None]:
    """Let a tokenizer that tells its model the language of a text say this one, a FLORES code, and then its own again.

    Other tokenizers, and None, are left alone.

    Raises:
        ValueError: if such a tokenizer does not know the language.
    """
    if language is None or not tells(tokenizer):
        yield
        return
    before = tokenizer.src_lang
    tokenizer.src_lang = _code(tokenizer, language)
    try:
        yield
    finally:
        tokenizer.src_lang = before


def _code(tokenizer: Any, language: str) -> str:
    """Find what a tokenizer calls a language: deu_Latn (NLLB), de (M2M-100) or de_DE (mBART)."""
    # NLLB's has no list of them
    known = getattr(tokenizer, "lang_code_to_id", None)
    if known is None:
        token = tokenizer.convert_tokens_to_ids(language)
        known = () if token in (None, tokenizer.unk_token_id) else (language,)
    short = SHORT.get(language[:3])
    found = next((code for code in known if code == language or code.split("_")[0] == short), None)
    if found is None:
        raise ValueError(
            f"Expected `languages` that the model's tokenizer has a token of, but {type(tokenizer).__name__} has none "
            f"of {language!r}; leave it out"
        )
    return str(found)
