"""Patterns of paths with a field, such as {language}: which names existing paths have in its place."""

import re
from collections.abc import Sequence
from glob import escape, glob
from pathlib import Path


def names_in(pattern: str | Path, field: str, *, others: Sequence[str] = ()) -> list[str]:
    """Find the names that existing paths have in place of a field: ["de", "en"] for "{language}.txt".

    Args:
        pattern: a path; where {field} occurs more than once, it is the same name everywhere.
        field: the field, without its braces.
        others: further fields of the pattern, which may have any name.
    """
    wanted, wildcards = re.escape(str(pattern)), escape(str(pattern))
    for each in (field, *others):
        place = f"{{{each}}}"
        wanted = wanted.replace(re.escape(place), f"(?P<{each}>[^/]+)", 1)
        wanted = wanted.replace(re.escape(place), f"(?P={each})")
        wildcards = wildcards.replace(place, "*")
    matches = (re.fullmatch(wanted, path) for path in glob(wildcards))
    return sorted({match[field] for match in matches if match})
