import json
from collections import Counter

import pandas as pd
import pytest

from babelscope.data.labelled_tables import labelled_table

LABELS = ("sports", "health")


def rows(code, part, n):
    return [
        {"headline": f"{code} {part} {i}", "body": f"body {i}", "category": LABELS[i % 2], "lang": code}
        for i in range(n)
    ]


@pytest.fixture
def news(tmp_path):
    """As MasakhaNEWS: a folder per language, a file per split, and as many rows as there happen to be."""
    for code, size in (("eng", 6), ("swa", 4), ("yor", 3)):
        (tmp_path / code).mkdir()
        for part in ("train", "dev", "test"):
            pd.DataFrame(rows(code, part, size)).to_csv(tmp_path / code / f"{part}.tsv", sep="\t", index=False)
    return tmp_path


OPTIONS = {"text": "headline", "label": "category"}


def test_files_by_language_and_split(news):
    found = labelled_table(
        ["eng_Latn", "swh_Latn", "yor_Latn"],
        "test",
        file=news / "{language}" / "{split}.tsv",
        codes={"swh_Latn": "swa"},
        **OPTIONS,
    )
    assert [len(found.examples(code).ids) for code in found.texts] == [6, 4, 3]
    assert found.examples("swh_Latn").texts == tuple(f"swa test {i}" for i in range(4))
    assert found.examples("swh_Latn").labels == ("sports", "health") * 2
    assert found.examples("swh_Latn").seconds is None
    both = labelled_table(["eng_Latn"], "train+validation", file=f"{news}/{{language}}/{{split}}.tsv", **OPTIONS)
    assert [both.examples("eng_Latn").texts[i] for i in (0, 6)] == ["eng train 0", "eng dev 0"]
    assert len(set(both.examples("eng_Latn").ids)) == 12


def test_pairs_in_one_table_of_several_languages(tmp_path):
    """As XNLI's and PAWS-X's: a column says in which language a row is, here by two letters."""
    table = [*rows("en", "x", 10), *rows("de", "x", 20), *rows("fr", "x", 1)]
    for i, row in enumerate(table):
        row["n"] = i
    pd.DataFrame(table).sample(frac=1, random_state=0).to_json(tmp_path / "all.jsonl", orient="records", lines=True)
    options = {**OPTIONS, "second": "body", "language": "lang", "file": tmp_path / "all.jsonl"}
    found = labelled_table(["deu_Latn", "eng_Latn"], "all", **options)
    assert [len(found.examples(code).ids) for code in ("deu_Latn", "eng_Latn")] == [20, 10]
    german = found.examples("deu_Latn")
    assert {text.split()[-1] for text in german.texts} == {str(i) for i in range(20)}
    assert all(
        text.split()[-1] == second.split()[-1] for text, second in zip(german.texts, german.seconds, strict=True)
    )
    assert german.seconds[0].startswith("body")


def test_a_table_without_splits_is_cut_alike_for_translations_and_not_by_order(tmp_path):
    rows = [{"text": f"{code} {i}", "label": f"c{i // 50}", "lang": code} for code in ("en", "de") for i in range(100)]
    (tmp_path / "all.json").write_text(json.dumps(rows))
    parts = {
        part: labelled_table(["eng_Latn", "deu_Latn"], part, file=tmp_path / "all.json", language="lang")
        for part in ("train", "dev", "test")
    }
    assert [len(part) for part in parts.values()] == [70, 10, 20]
    for part in parts.values():
        english, german = part.examples("eng_Latn"), part.examples("deu_Latn")
        assert [text[2:] for text in english.texts] == [text[2:] for text in german.texts]
    texts = [text for part in parts.values() for text in part.examples("eng_Latn").texts]
    assert len(set(texts)) == 100
    assert min(Counter(parts["train"].examples("eng_Latn").labels).values()) > 20  # though rows stand by label


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"file": None}, "`task.corpus.file` to be a table of labelled text"),
        (
            {"file": "{0}/eng/test.tsv"},
            "{language} in `task.corpus.file`, or the column .* to read 2 languages, but got",
        ),
        ({"file": "{0}/{{language}}/none.tsv"}, "languages at .*none.tsv, but found none; correct `task.corpus.file`$"),
        ({"file": "{0}/{{language}}/{{split}}.tsv", "codes": ["x"]}, "`task.corpus.codes` to be null or names"),
        ({"file": "{0}/{{language}}/{{split}}.tsv", "label": "topic"}, "the column 'topic' in .*test.tsv, but it has"),
        ({"file": "{0}/{{language}}/{{split}}.tsv", "second": "b"}, "the column 'b' in .*test.tsv, but it has"),
    ],
)
def test_what_cannot_be_read_is_named(news, options, message):
    given = {**OPTIONS, **options, "file": options["file"] and options["file"].format(news)}
    with pytest.raises((ValueError, OSError), match=message):
        labelled_table(["eng_Latn", "yor_Latn"], "test", **given)


def test_an_unknown_language_or_split_is_named(news):
    file = news / "{language}" / "{split}.tsv"
    with pytest.raises(ValueError, match=r"got 'hau_Latn'; nearest.*'task.corpus.codes={hau_Latn:NAME}'"):
        labelled_table(["eng_Latn", "hau_Latn"], "test", file=file, **OPTIONS)
    with pytest.raises(
        ValueError, match=r"`split` of corpus task.corpus .*eng/.* to be one of train, dev, test.*got 'gold'"
    ):
        labelled_table(["eng_Latn"], "gold", file=file, **OPTIONS)
    with pytest.raises(ValueError, match=r"got 'swh_Latn'; nearest.*'task.corpus.codes={swh_Latn:NAME}'"):
        labelled_table(["swh_Latn"], "all", file=news / "eng" / "test.tsv", language="lang", **OPTIONS)


def test_a_split_without_rows_is_refused(tmp_path):
    pd.DataFrame(rows("en", "x", 6)).to_csv(tmp_path / "few.csv", index=False)
    with pytest.raises(ValueError, match=r"examples of eng_Latn in split dev, but .*few.csv has too few rows for one"):
        labelled_table(["eng_Latn"], "dev", file=tmp_path / "few.csv", **OPTIONS)
    assert len(labelled_table(["eng_Latn"], "train", file=tmp_path / "few.csv", **OPTIONS)) == 4
