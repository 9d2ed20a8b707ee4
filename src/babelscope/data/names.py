"""Find the names that files and tables have for languages."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from babelscope.data.reading import check_languages
from babelscope.data.short_codes import SHORT


def find_names(
    languages: Sequence[str],
    known: Collection[str],
    place: str | Path,
    codes: Mapping[str, str] | None = None,
    *,
    key: str | None = "corpus",
) -> dict[str, str]:
    """Find the name of every language: the one in `codes`, else zho_Hans, zho-Hans, zho or zh for the code zho_Hans.

    Args:
        languages: FLORES codes.
        known: the existing names.
        place: where the names are, for errors.
        codes: names by FLORES code, for languages that the rule does not find.
        key: the configuration key of the corpus, for errors; None if it has no `codes`.

    Raises:
        ValueError: if a language is missing, two languages have the same name, or `codes` is not a mapping.
        FileNotFoundError: if there are no names at all.
    """
    if codes is not None and not isinstance(codes, Mapping):
        raise ValueError(
            f"Expected `{key}.codes` to be null or names by FLORES code, but got {codes!r}; "
            f"write '{key}.codes={{zho_Hant:NAME}}'"
        )
    codes = codes or {}
    for code, name in codes.items():
        if not isinstance(name, str):
            raise ValueError(f"Expected `{key}.codes` to give names, but got {code}: {name!r}; put the name in quotes")
    check_languages(languages)
    called: dict[str, str] = {}
    for language in languages:
        alone = language.split("_", maxsplit=1)[0]
        usual = (language, language.replace("_", "-"), alone, SHORT.get(alone, alone))
        name = codes.get(language) or next((name for name in usual if name in known), language)
        other = next((code for code in called if called[code] == name), None)
        advice = "leave it out" if key is None else f"give its name there by '{key}.codes={{{language}:NAME}}'"
        if other is not None:
            raise ValueError(
                f"Expected text of its own for every language, but {other} and {language} share {name!r} of {place}; "
                f"{advice}"
            )
        try:
            check_languages([name], known, place=place, key=key or "corpus")
        except ValueError as error:
            raise ValueError(f"{error}; {advice}") from error
        called[language] = name
    return called
