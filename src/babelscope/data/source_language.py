"""Language tokens: to NLLB, M2M-100 and mBART, a special token beside a text gives its language."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from babelscope.data.short_codes import SHORT


def has_language_token(tokenizer: Any) -> bool:
    """Return whether a tokenizer adds a token that names the language of a text."""
    return hasattr(type(tokenizer), "src_lang")


@contextmanager
def source_language(tokenizer: Any, language: str | None) -> Iterator[None]:
    """Temporarily set `src_lang` on tokenizers that have one (NLLB, M2M-100, mBART).

    Other tokenizers stay unchanged, and so does every tokenizer if `language`, a FLORES code, is None.

    Raises:
        ValueError: if the tokenizer has a `src_lang` but does not know the language.
    """
    if language is None or not has_language_token(tokenizer):
        yield
        return
    before = tokenizer.src_lang
    tokenizer.src_lang = _code(tokenizer, language)
    try:
        yield
    finally:
        tokenizer.src_lang = before


def _code(tokenizer: Any, language: str) -> str:
    """Return a tokenizer's own code of a language: deu_Latn (NLLB), de (M2M-100) or de_DE (mBART)."""
    # NLLB's tokenizer has no list of languages
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
