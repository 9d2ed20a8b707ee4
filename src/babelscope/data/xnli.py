"""XNLI: whether one sentence follows from another, in 15 languages (Conneau et al. 2018, arXiv 1809.05053)."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from babelscope.data.hub import load_rows
from babelscope.data.labelled import Examples, LabelledCorpus
from babelscope.data.labelled_tables import examples_of
from babelscope.data.parallel_table import Numbered, numbered_rows
from babelscope.data.reading import check_languages, find_folder
from babelscope.data.short_codes import SHORT
from babelscope.data.splits import parse_split

HUB = "facebook/xnli"
HUB_SPLITS = {"train": "train", "dev": "validation", "test": "test"}
LABELS = ("entailment", "neutral", "contradiction")
"""In the order of their numbers on the Hub."""
TRAINING = ("premise", "hypo", "label")
TESTED = ("sentence1", "sentence2", "gold_label")
ON_THE_HUB = ("premise", "hypothesis", "label")
TRANSLATED = {"contradictory": "contradiction"}
"""What the translated training set calls a label."""
LANGUAGES = (
    *("arb_Arab", "bul_Cyrl", "deu_Latn", "ell_Grek", "eng_Latn", "fra_Latn", "hin_Deva", "rus_Cyrl"),
    *("spa_Latn", "swh_Latn", "tha_Thai", "tur_Latn", "urd_Arab", "vie_Latn", "zho_Hans"),
)


def xnli(languages: Sequence[str], split: str, *, folder: str | Path | None = None) -> LabelledCorpus:
    """Read premises and hypotheses, labelled entailment, neutral or contradiction.

    Args:
        languages: FLORES codes, of those in `LANGUAGES`.
        split: train (392,702 pairs, machine-translated but for English), dev (2,490) or test (5,010).
        folder: where XNLI-1.0.zip and, for training, XNLI-MT-1.0.zip were unpacked; None reads the Hub's data set.

    Raises:
        ValueError: if a language or split is unknown, or a file is not as it was published.
        OSError: if a file is missing or the Hub cannot be reached.
    """
    (part, *more) = parse_split(split, HUB_SPLITS, corpus="xnli")
    if more:
        raise ValueError(f"Expected one split of xnli, but got {split!r}; choose one of {', '.join(HUB_SPLITS)}")
    check_languages(languages, LANGUAGES, place="xnli")
    short = {code: SHORT[code[:3]] for code in languages}
    if folder is None:
        return LabelledCorpus("xnli", {code: _from_hub(short[code], HUB_SPLITS[part]) for code in languages})
    if part == "train":
        root = find_folder(folder, "XNLI-MT-1.0/multinli", "multinli", key="task.corpus")
        paths = {code: root / f"multinli.train.{short[code]}.tsv" for code in languages}
        return LabelledCorpus(
            "xnli", {code: _read(numbered_rows(path), path, TRAINING) for code, path in paths.items()}
        )
    path = find_folder(folder, "XNLI-1.0", key="task.corpus") / f"xnli.{part}.tsv"
    rows: dict[str, list[Numbered]] = {}
    for number, row in numbered_rows(path):
        rows.setdefault(str(row.get("language")), []).append((number, row))
    missing = [short[code] for code in languages if short[code] not in rows]
    if missing:
        raise ValueError(f"Expected rows of language {missing[0]} in {path}, but got none; fetch it again")
    return LabelledCorpus("xnli", {code: _read(rows[short[code]], path, TESTED) for code in languages})


def _from_hub(language: str, split: str) -> Examples:
    rows = [row | {"label": LABELS[row["label"]]} for row in load_rows(HUB, language, split, key="task.corpus")]
    return _read(list(enumerate(rows, start=1)), f"{HUB} {language} {split}", ON_THE_HUB)


def _read(rows: Sequence[Numbered], place: str | Path, columns: Sequence[str]) -> Examples:
    first, second, label = columns
    examples = examples_of(rows, place, text=first, second=second, label=label)
    labels = tuple(TRANSLATED.get(name, name) for name in examples.labels or ())
    other = next((name for name in labels if name not in LABELS), None)
    if other is not None:
        raise ValueError(f"Expected the labels {', '.join(LABELS)} in {place}, but got {other!r}; fetch it again")
    return replace(examples, labels=labels)
