"""Writing systems of languages."""

import re

FLORES_CODE = re.compile(r"[a-z]{3}_([A-Z][a-z]{3})")


def script_of(language: str) -> str:
    """Return the ISO 15924 script of a FLORES code: ``Latn`` for ``eng_Latn``.

    Raises:
        ValueError: if this is not a FLORES code.
    """
    match = FLORES_CODE.fullmatch(language)
    if match is None:
        raise ValueError(
            f"Expected a FLORES code, an ISO 639-3 language and an ISO 15924 script such as eng_Latn, "
            f"but got {language!r}; rename the language"
        )
    return match[1]
