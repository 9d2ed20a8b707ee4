"""The language that translation models are told with a text, by a token beside it: NLLB, M2M-100, mBART."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# ISO 639-3, in FLORES's choice, and the two or three letters that M2M-100 and mBART have instead
_PAIRS = """
afr-af amh-am arb-ar ast-ast azj-az bak-ba bel-be bul-bg ben-bn bre-br bos-bs cat-ca ceb-ceb ces-cs
cym-cy dan-da deu-de ell-el eng-en spa-es est-et pes-fa fuv-ff fin-fi fra-fr fry-fy gle-ga gla-gd glg-gl
guj-gu hau-ha heb-he hin-hi hrv-hr hat-ht hun-hu hye-hy ind-id ibo-ig ilo-ilo isl-is ita-it jpn-ja
jav-jv kat-ka kaz-kk khm-km kan-kn kor-ko ltz-lb lug-lg lin-ln lao-lo lit-lt lvs-lv plt-mg mkd-mk mal-ml
khk-mn mar-mr zsm-ms mya-my npi-ne nld-nl nob-no nso-ns oci-oc ory-or pan-pa pol-pl pbt-ps por-pt ron-ro
rus-ru snd-sd sin-si slk-sk slv-sl som-so als-sq srp-sr ssw-ss sun-su swe-sv swh-sw tam-ta tel-te tha-th
tgl-tl tsn-tn tur-tr ukr-uk urd-ur uzn-uz vie-vi wol-wo xho-xh ydd-yi yor-yo zho-zh zul-zu
"""
SHORT = dict(pair.split("-") for pair in _PAIRS.split())


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
