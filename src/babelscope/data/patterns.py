"""Patterns of paths with a field, such as {language}, or a star: which names existing paths have in its place."""

import re
from collections.abc import Sequence
from glob import escape, glob
from pathlib import Path


def names_in(pattern: str | Path, field: str, *, others: Sequence[str] = ()) -> list[str]:
    """Find the names that existing paths have in place of a field: ["de", "en"] for "{language}.txt".

    Args:
        pattern: a path; where {field} occurs more than once, it is the same name everywhere. A star is any part of the
            name of a file or folder.
        field: the field, without its braces.
        others: further fields of the pattern, which may have any name.
    """
    wanted = re.escape(str(pattern)).replace(re.escape("*"), "[^/]*")
    wildcards = _with_stars(pattern)
    for each in (field, *others):
        place = f"{{{each}}}"
        wanted = wanted.replace(re.escape(place), f"(?P<{each}>[^/]+)", 1)
        wanted = wanted.replace(re.escape(place), f"(?P={each})")
        wildcards = wildcards.replace(place, "*")
    matches = (re.fullmatch(wanted, path) for path in glob(wildcards))
    return sorted({match[field] for match in matches if match})


def only_path(pattern: str | Path) -> Path:
    """Return the one path that a pattern with stars stands for; one without is the path itself.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: if there are several.
    """
    if "*" not in str(pattern):
        return Path(pattern)
    found = sorted(glob(_with_stars(pattern)))
    if not found:
        raise FileNotFoundError(f"Expected a file at {pattern}, but found none; correct the pattern")
    if len(found) > 1:
        raise ValueError(
            f"Expected one file at {pattern}, but found {len(found)}, such as {found[0]} and {found[1]}; name more of "
            "the path, or the language's name in it, by task.corpus.codes"
        )
    return Path(found[0])


def _with_stars(pattern: str | Path) -> str:
    """Escape for `glob` everything but stars."""
    return escape(str(pattern)).replace(escape("*"), "*")
