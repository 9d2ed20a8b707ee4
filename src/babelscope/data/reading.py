"""Read text files strictly, with errors that name the file, the line and the remedy."""

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path

COMPRESSED = {
    "gzip": rb"\x1f\x8b",
    "zip": rb"PK\x03\x04",
    "xz": rb"\xfd7zXZ\x00",
    "bzip2": rb"BZh[1-9]1AY&SY",
    "zstd": rb"\x28\xb5\x2f\xfd",
}
"""How files begin that are no text before they are decompressed."""


def read_lines(path: Path) -> list[str]:
    """Read a UTF-8 file as lines; a byte order mark and carriage returns at line ends are removed.

    Only a line feed ends a line: U+2028 and its like occur inside sentences.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is compressed, or a line is not valid UTF-8.
    """
    if not path.is_file():
        raise FileNotFoundError(f"Expected a text file, but found none at {path}; check the folder and its layout")
    refuse_compressed(path)
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"Expected UTF-8 text, but got byte 0x{raw[error.start]:02x} in {path}, line {line}; "
            f"convert the file to UTF-8"
        ) from error
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    return lines[:-1] if not lines[-1] else lines


def refuse_compressed(path: Path) -> None:
    """Refuse a file that has to be decompressed first, whatever its name says.

    Raises:
        ValueError: if it is compressed.
    """
    with path.open("rb") as file:
        begins = file.read(16)
    for kind, pattern in COMPRESSED.items():
        if re.match(pattern, begins):
            raise ValueError(f"Expected an uncompressed file, but {path} is compressed by {kind}; decompress it first")


def read_sentences(path: Path) -> list[str]:
    """Read one sentence per line.

    Raises:
        ValueError: if a line is empty; `read_lines` raises for the file itself.
    """
    lines = read_lines(path)
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            raise ValueError(
                f"Expected a sentence in every line, but {path}, line {number} is empty; "
                f"remove this line from the file of every language"
            )
    return lines


def find_folder(folder: str | Path, *inside: str, key: str = "corpus") -> Path:
    """Return the data folder of a published layout: one of ``folder/inside``, deepest first, or the folder itself.

    Raises:
        FileNotFoundError: if there is no such folder.
    """
    root = Path(folder).expanduser()
    if not root.is_dir():
        raise FileNotFoundError(f"Expected `{key}.folder` to be a folder, but found none at {root}; correct the path")
    return next((root / path for path in inside if (root / path).is_dir()), root)


def check_languages(
    languages: Sequence[str], known: Iterable[str] | None = None, *, place: str | Path = "", key: str = "corpus"
) -> None:
    """Refuse a list of languages that is empty, has repetitions, or goes beyond the known ones.

    Args:
        languages: FLORES codes, or the names that a file or table has for them.
        known: the existing ones; None leaves them unchecked.
        place: where the known ones are, for errors.
        key: the configuration key of the corpus, for errors.

    Raises:
        ValueError: if there is such a language; it names the first one and the nearest known codes.
        FileNotFoundError: if no language is known.
    """
    is_list = isinstance(languages, Sequence) and not isinstance(languages, str)
    if not is_list or not languages or not all(isinstance(language, str) for language in languages):
        raise ValueError(f"Expected `languages` to be a list of FLORES codes, but got {languages!r}; write [eng_Latn]")
    for i, language in enumerate(languages):
        if language in languages[:i]:
            raise ValueError(f"Expected every language once in `languages`, but got {language} twice; remove one")
    if known is None:
        return
    codes = sorted(known)
    if not codes:
        raise FileNotFoundError(f"Expected languages at {place}, but found none; correct `{key}.folder` or its layout")
    for language in languages:
        if language not in codes:
            near = ", ".join(get_close_matches(language, codes, n=3, cutoff=0.0))
            raise ValueError(
                f"Expected `languages` to be among the {len(codes)} of {place}, but got {language!r}; nearest: {near}"
            )
