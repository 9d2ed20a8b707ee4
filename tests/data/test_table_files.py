import csv
import gzip
import json

import datasets
import pandas as pd
import pytest

from babelscope.data.table_files import read_rows

ROWS = [
    {"id": "1", "en": 'He said "yes", and left.', "de": "Ja"},
    {"id": "2", "en": '"No."', "de": "N\u2028ein, „so“"},
    {"id": "3", "en": "null", "de": "NA"},
]


def test_every_format_has_the_same_rows(tmp_path):
    frame = pd.DataFrame(ROWS)
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_csv(tmp_path / "a.tsv", index=False, sep="\t")
    frame.to_json(tmp_path / "a.json", orient="records")
    frame.to_json(tmp_path / "a.jsonl", orient="records", lines=True)
    frame.to_parquet(tmp_path / "A.PARQUET")
    datasets.Dataset.from_list(ROWS).save_to_disk(tmp_path / "saved")
    for name in ("a.csv", "a.tsv", "a.json", "a.jsonl", "A.PARQUET", "saved"):
        assert read_rows(tmp_path / name) == ROWS, name


def test_csv_cells_over_several_lines(tmp_path):
    (tmp_path / "a.csv").write_bytes(b'\xef\xbb\xbfen,de\r\n"One\ntwo",Eins\r\n')
    assert read_rows(tmp_path / "a.csv") == [{"en": "One\ntwo", "de": "Eins"}]


@pytest.mark.parametrize("kind", ["csv", "tsv"])
def test_cells_of_any_length(tmp_path, kind):
    rows = [{"en": "word " * 50_000, "de": "One\n" * 50_000}, {"en": "x" * 131_073, "de": "y"}]
    pd.DataFrame(rows).to_csv(
        tmp_path / f"a.{kind}", index=False, sep={"csv": ",", "tsv": "\t"}[kind], quoting=csv.QUOTE_ALL
    )
    limit = csv.field_size_limit()
    assert read_rows(tmp_path / f"a.{kind}") == rows
    assert csv.field_size_limit() == limit  # of everybody else's


def test_compressed_tables_are_called_so(tmp_path):
    for name in ("a.csv", "a.tsv", "a.json", "a.jsonl", "a.parquet"):
        (tmp_path / name).write_bytes(gzip.compress(b"en,de\nOne,Eins\n"))
        with pytest.raises(ValueError, match=rf"{name} is compressed by gzip; decompress it first$"):
            read_rows(tmp_path / name)
    with pytest.raises(ValueError, match=r"but got .*a\.csv\.gz; convert or decompress it"):
        read_rows((tmp_path / "a.csv").rename(tmp_path / "a.csv.gz"))


def test_plain_quotes_between_tabs(tmp_path):
    (tmp_path / "a.tsv").write_text('en\tde\n"Hello" she said\t"Hallo\n')
    assert read_rows(tmp_path / "a.tsv") == [{"en": '"Hello" she said', "de": '"Hallo'}]


def test_a_tab_separated_file_that_is_quoted_throughout(tmp_path):
    (tmp_path / "a.tsv").write_text('"en"\t"de"\n"One ""1"""\t"Eins"\n')
    assert read_rows(tmp_path / "a.tsv") == [{"en": 'One "1"', "de": "Eins"}]


def test_mappings_are_spread(tmp_path):
    rows = [{"id": 1, "translation": {"en": "One", "de": "Eins"}}]
    (tmp_path / "a.json").write_text(json.dumps(rows))
    pd.DataFrame(rows).to_parquet(tmp_path / "a.parquet")
    for name in ("a.json", "a.parquet"):
        assert read_rows(tmp_path / name) == [{"id": 1, "en": "One", "de": "Eins"}]


def test_keys_that_are_there_twice_keep_the_name_of_their_column(tmp_path):
    row = {"id": 1, "translation": {"en": "One", "id": "Satu"}, "raw": {"en": "one", "ja": "ichi"}}
    (tmp_path / "a.json").write_text(json.dumps([row]))
    expected = {"id": 1, "translation.en": "One", "translation.id": "Satu", "raw.en": "one", "ja": "ichi"}
    assert read_rows(tmp_path / "a.json") == [expected]


@pytest.mark.parametrize("content", ["en,de\nOne,Eins\n\n", "en,de\nOne,Eins\n\n\n"])
def test_blank_lines_at_the_end(tmp_path, content):
    (tmp_path / "a.csv").write_text(content)
    (tmp_path / "a.tsv").write_text(content.replace(",", "\t"))
    assert read_rows(tmp_path / "a.csv") == read_rows(tmp_path / "a.tsv") == [{"en": "One", "de": "Eins"}]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", "x", "ends in one of .csv, .tsv, .json, .jsonl, .ndjson, .parquet, or a folder"),
        ("a", "x", "ends in one of"),
        ("a.csv", "", "Expected rows in"),
        ("a.csv", "en,de\n", "Expected rows in"),
        ("a.csv", "en,de\nOne, or more,Eins\n", "2 cells separated by commas, .* got 3 in .*a.csv, row 2"),
        ("a.csv", 'en,de\n"One"x,Eins\n', "quoted cells in .*; quote them as csv does"),
        ("a.csv", 'en,de\n"One,Eins\n' + "x" * 200_000, "got unexpected end of data; quote them as csv does"),
        ("a.csv", "en,en\nOne,Eins\n", "'en' twice; rename one"),
        ("a.tsv", "en\tde\nOne\n", "2 cells separated by tabs, .* got 1"),
        ("a.csv", "en;de\nOne;Eins\n", "its header has semicolons; save it with commas"),
        ("a.csv", 'en;de\n"One, two";"Eins; zwei"\n', "its header has semicolons; save it with commas"),
        ("a.json", '{"en": "One"}', "a JSON list of objects in .*, but got dict"),
        ("a.json", '{"en": 1}\n{"en": 2}', "Extra data.*jsonl"),
        ("a.jsonl", "[1]", "one JSON object per line"),
        ("a.parquet", "PAR", "to be a Parquet file"),
    ],
)
def test_tables_that_cannot_be_read(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=message) as error:
        read_rows(tmp_path / name)
    assert "\n" not in str(error.value)


def test_folders_that_are_no_table(tmp_path):
    with pytest.raises(ValueError, match="one that datasets saved") as error:
        read_rows(tmp_path)
    assert "\n" not in str(error.value)
    part = datasets.Dataset.from_list(ROWS)
    datasets.DatasetDict({"train": part, "test": part}).save_to_disk(tmp_path / "both")
    with pytest.raises(
        ValueError, match=r"one split in .*both, but got train, test; write '.*both/\{split\}' as its file"
    ):
        read_rows(tmp_path / "both")
    with pytest.raises(FileNotFoundError, match=r"a table, but found no file at"):
        read_rows(tmp_path / "none.csv")
