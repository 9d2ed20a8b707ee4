import datasets
import pandas as pd
import pytest

from babelscope.data.parallel_table import table

LANGUAGES = ["eng_Latn", "zho_Hans", "deu_Latn"]
CODES = {"eng_Latn": "en", "deu_Latn": "de"}


def sentence(code, i):
    return f"{code}, number {i}"


@pytest.fixture
def wide(tmp_path):
    rows = [
        {"key": f"s{i}", "topic": f"t{i % 3}", "year": i, **{c: sentence(c, i) for c in ("de", "zho-Hans", "en")}}
        for i in range(20)
    ]
    pd.DataFrame(rows).to_parquet(tmp_path / "wide.parquet")
    return tmp_path / "wide.parquet"


@pytest.fixture
def long(tmp_path):
    rows = [
        {"lang": c, "key": i, "sentence": sentence(c, i), "topic": f"t{i % 3}"}
        for c in ("de", "zho-Hans", "en", "fr")
        for i in (range(20) if c != "de" else reversed(range(20)))
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "long.csv", index=False)
    return tmp_path / "long.csv"


def test_a_column_per_language(wide):
    corpus = table(LANGUAGES, "all", file=wide, codes=CODES, ids="key", labels="topic", name="mine")
    assert (corpus.name, corpus.languages, len(corpus)) == ("mine", tuple(LANGUAGES), 20)
    assert corpus.texts["zho_Hans"][7] == sentence("zho-Hans", 7)
    assert corpus.labels[7] == "t1"
    assert corpus.ids[7].endswith("s7")
    parts = [
        table(LANGUAGES, part, file=wide, codes=CODES, ids="key", labels="topic") for part in ("train", "dev", "test")
    ]
    assert [len(part) for part in parts] == [14, 2, 4]
    assert sum((part.ids for part in parts), ()) == corpus.ids
    assert parts[1] == table(LANGUAGES, "validation", file=wide, codes=CODES, ids="key", labels="topic")


def test_names_of_two_letters_need_no_codes(wide):
    assert table(LANGUAGES, "all", file=wide) == table(LANGUAGES, "all", file=wide, codes=CODES)


def test_a_row_per_sentence_and_language_is_the_same(wide, long):
    options = {"language": "lang", "text": "sentence", "ids": "key", "labels": "topic"}
    corpus = table(LANGUAGES, "all", file=long, codes=CODES, **options)
    other = table(LANGUAGES, "all", file=wide, codes=CODES, labels="topic")
    assert corpus.ids == tuple(f"row-{i}" for i in reversed(range(20)))  # of the first rows in the file
    assert {code: texts[::-1] for code, texts in corpus.texts.items()} == other.texts
    assert corpus.labels == other.labels[::-1]


@pytest.mark.parametrize("first", ["de", "en"])
def test_splits_do_not_depend_on_which_language_is_first(tmp_path, first):
    other = {"de": "en", "en": "de"}[first]
    rows = [{"lang": first, "key": i, "text": f"{first} {i}"} for i in range(20)]
    rows += [{"lang": other, "key": i, "text": f"{other} {i}"} for i in reversed(range(20))]
    pd.DataFrame(rows).to_parquet(tmp_path / "a.parquet")
    options = {"file": tmp_path / "a.parquet", "codes": CODES, "language": "lang", "ids": "key"}
    for split, numbers in {"train": range(14), "dev": range(14, 16), "test": range(16, 20)}.items():
        for languages in (["eng_Latn", "deu_Latn"], ["deu_Latn", "eng_Latn"], ["deu_Latn"], ["eng_Latn"]):
            corpus = table(languages, split, **options)
            assert corpus.ids == tuple(f"row-{i}" for i in numbers)
            assert corpus.texts == {code: tuple(f"{CODES[code]} {i}" for i in numbers) for code in languages}


def test_files_of_splits(tmp_path):
    for split, count in {"train": 5, "validation": 2, "test": 3, "test.old": 9}.items():
        rows = [{"eng": f"{split} {i}"} for i in range(count)]
        pd.DataFrame(rows).to_json(tmp_path / f"a[1].{split}.jsonl", orient="records", lines=True)
    file = tmp_path / "a[1].{split}.jsonl"
    for split, count in {"train": 5, "dev": 2, "validation": 2, "dev+test": 5, "test.old": 9}.items():
        corpus = table(["eng_Latn"], split, file=file)
        assert len(corpus) == count
    assert table(["eng_Latn"], "dev+test", file=file).ids == (
        *("validation-1", "validation-2"),
        *("test-1", "test-2", "test-3"),
    )
    with pytest.raises(ValueError, match=r"`split` of corpus table to be one of train, validation, test, test.old"):
        table(["eng_Latn"], "devtest", file=file)
    with pytest.raises(FileNotFoundError, match=r"a table for each split"):
        table(["eng_Latn"], "dev", file=tmp_path / "b.{split}.jsonl")


def test_a_saved_data_set_with_splits(tmp_path):
    part = datasets.Dataset.from_list([{"translation": {"en": "One", "de": "Eins"}}])
    datasets.DatasetDict({"train": part, "validation": part}).save_to_disk(tmp_path / "saved")
    corpus = table(["deu_Latn", "eng_Latn"], "train+dev", file=f"{tmp_path}/saved/{{split}}", codes=CODES)
    (tmp_path / "saved" / "train").rename(tmp_path / "v1.train")
    assert len(table(["deu_Latn"], "train", file=f"{tmp_path}/v1.{{split}}", codes=CODES)) == 1
    assert corpus.texts == {"deu_Latn": ("Eins", "Eins"), "eng_Latn": ("One", "One")}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"file": None}, "`corpus.file`"),
        ({"codes": {"eng_Latn": "e"}}, "the columns of .*wide.parquet, but got 'e'.*'corpus.codes={eng_Latn:NAME}'"),
        ({"ids": "nope"}, "the column 'nope' in .*wide.parquet, column en, but it has key, topic"),
        ({"ids": "topic"}, "unique values of topic, but got 't0' again"),
        ({"codes": {**CODES, "eng_Latn": "year"}}, "'year' is 0; give the column of sentences"),
        ({"language": "lang"}, "the column 'lang' in .*wide.parquet, row 1"),
        ({"language": "topic"}, "column topic of .*wide.parquet, but got 'en'; nearest: "),
    ],
)
def test_table_names_what_is_wrong(wide, options, message):
    with pytest.raises(ValueError, match=message):
        table(LANGUAGES, "all", **{"file": wide, "codes": CODES, **options})


def test_empty_cells_and_lost_rows(tmp_path, long):
    frame = pd.read_csv(long)
    frame.drop(index=3).to_csv(tmp_path / "few.csv", index=False)
    options = {"codes": CODES, "language": "lang", "text": "sentence", "ids": "key"}
    with pytest.raises(ValueError, match=r"lang de has 19 and .*lang en has 20"):
        table(["eng_Latn", "deu_Latn"], "all", file=tmp_path / "few.csv", **options)
    frame.loc[3, "sentence"] = None
    for name, row in (("gaps.csv", 5), ("gaps.parquet", 4)):
        (frame.to_csv if name.endswith("csv") else frame.to_parquet)(tmp_path / name, index=False)
        with pytest.raises(ValueError, match=rf"'sentence' of .*lang de, row {row} is; fill it, or remove"):
            table(["deu_Latn"], "all", file=tmp_path / name, **options)


def test_rows_are_counted_as_in_the_file(tmp_path):
    for name, content, row in (("a.csv", 'en\n""\nx\n', 2), ("a.TSV", "en\ta\nx\ta\n\ta\n", 3)):
        (tmp_path / name).write_text(content)
        with pytest.raises(ValueError, match=f"'en' of .*column en, row {row} is"):
            table(["eng_Latn"], "all", file=tmp_path / name, codes=CODES)
    pd.DataFrame({"en": ["a", "b"], "topic": [1.0, None]}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(ValueError, match=r"'topic' of .*column en, row 2 is"):
        table(["eng_Latn"], "all", file=tmp_path / "a.parquet", codes=CODES, labels="topic")
