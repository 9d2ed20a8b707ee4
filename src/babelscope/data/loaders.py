"""Parallel corpora from folders in their published layouts, or from the Hugging Face Hub."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from babelscope.data.corpora import Corpus
from babelscope.data.hub import load_rows
from babelscope.data.names import find_names
from babelscope.data.patterns import names_in
from babelscope.data.reading import check_languages, find_folder, read_sentences
from babelscope.data.sentence_alignment import (
    SplitSentences,
    align,
    sentences_of_columns,
    sentences_of_lines,
    sentences_of_rows,
)
from babelscope.data.splits import SPLITS, cut, parse_split

SIB200_HUB = "Davlan/sib200"
SIB200_HUB_SPLITS = {"train": "train", "dev": "validation", "test": "test"}
FLORES_HUB = "openlanguagedata/flores_plus"
# FLORES+ renamed these codes of FLORES-200
FLORES_HUB_CODES = {"zho_Hans": "cmn_Hans", "zho_Hant": "cmn_Hant", "tgl_Latn": "fil_Latn"}


def sib200(languages: Sequence[str], split: str, *, folder: str | Path | None = None) -> Corpus:
    """Read SIB-200: sentences of FLORES-200 with one of seven topics (Adelani et al. 2024, arXiv 2309.07445).

    Args:
        languages: FLORES codes.
        split: train (701 sentences), dev (99), test (204), a union such as dev+test, or all.
        folder: a copy of github.com/dadelani/sib-200, or its data or data/annotated; None reads the Hub's data set.

    Raises:
        ValueError: if a language or split is unknown, or the languages do not hold the same sentences and topics.
        OSError: if a file is missing or the Hub cannot be reached.
    """
    splits = parse_split(split, SIB200_HUB_SPLITS, corpus="sib200")
    if folder is None:
        check_languages(languages)
        return align("sib200", languages, splits, _read_sib200_from_hub)
    root = find_folder(folder, "data/annotated", "annotated")
    check_languages(languages, [path.name for path in root.iterdir() if path.is_dir()], place=root)
    return align("sib200", languages, splits, lambda code, part: sentences_of_columns(root / code / f"{part}.tsv"))


def flores(languages: Sequence[str], split: str, *, folder: str | Path | None = None) -> Corpus:
    """Read FLORES-200 or FLORES-101: aligned sentences without labels (NLLB Team 2022, arXiv 2207.04672).

    Args:
        languages: FLORES codes.
        split: dev (997 sentences), devtest (1,012; "test" is the same), dev+devtest, or all.
        folder: holds ``dev/LANG.dev`` and ``devtest/LANG.devtest``; None reads FLORES+ from the Hub, which is gated.

    Raises:
        ValueError: if a language or split is unknown, a sentence is empty, or files have different numbers of lines.
        OSError: if a file is missing or the Hub cannot be reached.
    """
    if "train" in re.split(r"\s*\+\s*", split.strip()):
        raise ValueError(
            f"Expected `split` of corpus flores to be dev or devtest, but got {split!r}; FLORES has no training split, "
            f"give task.corpus another corpus such as sib200"
        )
    splits = parse_split(split, ("dev", "devtest"), corpus="flores", aliases={"test": "devtest"})
    if folder is None:
        check_languages(languages)
        return align("flores", languages, splits, _read_flores_from_hub)
    root = find_folder(folder, "flores200_dataset", "flores101_dataset")
    # its files have the names that FLORES gave them
    paths = {part: find_files(languages, root, f"{part}/{{language}}.{part}", key=None) for part in splits}
    return align("flores", languages, splits, lambda code, part: sentences_of_lines(paths[part][code]))


def lines(
    languages: Sequence[str],
    split: str,
    *,
    folder: str | Path | None = None,
    pattern: str = "{language}.txt",
    codes: Mapping[str, str] | None = None,
    labels: str | None = None,
    name: str = "lines",
) -> Corpus:
    """Read one text file per language, aligned by line, such as NTREX-128 (Federmann et al. 2022).

    Args:
        languages: FLORES codes.
        split: train, dev and test are the first 70, the next 10 and the last 20 per cent; a union of them, or all.
        folder: holds the files.
        pattern: a file's name, with {language} where the language goes, e.g. "newstest2019-ref.{language}.txt".
        codes: names by FLORES code in file names, where the rule of `find_names` does not find them.
        labels: name of a file in the folder with one label per line.
        name: name of the corpus in rows and report.

    Raises:
        ValueError: if a language or split is unknown, a sentence is empty, or files have different numbers of lines.
        OSError: if a file is missing.
    """
    if folder is None:
        raise ValueError("Expected `corpus.folder` to be the folder of the text files, but got None; set it")
    root = find_folder(folder)
    splits = parse_split(split, SPLITS, corpus=name)
    paths = find_files(languages, root, pattern, codes)
    corpus = align(name, languages, ("line",), lambda code, _: sentences_of_lines(paths[code]))
    if labels is not None:
        topics = read_sentences(root / labels)
        if len(topics) != len(corpus):
            raise ValueError(
                f"Expected one label per line in {root / labels}, but got {len(topics)} labels for {len(corpus)} lines"
            )
        corpus = replace(corpus, labels=tuple(topics))
    return cut(corpus, splits)


def find_files(
    languages: Sequence[str],
    root: Path,
    pattern: str,
    codes: Mapping[str, str] | None = None,
    *,
    key: str | None = "corpus",
) -> dict[str, Path]:
    """Find the file of every language: {language} in the pattern is the name that `find_names` finds.

    Raises:
        ValueError: if the pattern has no {language}; `find_names` raises for languages and `codes`.
    """
    if "{language}" not in pattern:
        raise ValueError(
            f"Expected `corpus.pattern` to have {{language}} where a file name has the language, but got {pattern!r}"
        )
    paths = root / pattern
    names = find_names(languages, names_in(paths, "language"), paths, codes, key=key)
    return {language: Path(str(paths).replace("{language}", name)) for language, name in names.items()}


def _read_sib200_from_hub(language: str, split: str) -> SplitSentences:
    rows = load_rows(SIB200_HUB, language, SIB200_HUB_SPLITS[split])
    return sentences_of_rows(rows, f"{SIB200_HUB} {language} {split}")


def _read_flores_from_hub(language: str, split: str) -> SplitSentences:
    code = FLORES_HUB_CODES.get(language, language)
    return sentences_of_rows(load_rows(FLORES_HUB, code, split), f"{FLORES_HUB} {code} {split}", key="id", label=None)
