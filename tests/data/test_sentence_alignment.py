import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from babelscope.data.sentence_alignment import SplitSentences, align, sentences_of_columns

HEADER = "index_id\tcategory\ttext\n"


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("plain", "plain"),
        ('"He said ""no""."', 'He said "no".'),
        ('"""All of it."""', '"All of it."'),
        ('"One quotation."', '"One quotation."'),
        ('"Two", she said, "quotations."', '"Two", she said, "quotations."'),
        ('a 5" disk', 'a 5" disk'),
        ('" at the start', '" at the start'),
        ('at the end "', 'at the end "'),
        ('two "" inside', 'two "" inside'),
        ('"', '"'),
    ],
)
def test_quoted_and_unquoted_cells(tmp_path, cell, text):
    (tmp_path / "a.tsv").write_text(f"{HEADER}7\ttravel\t{cell}\n")
    assert sentences_of_columns(tmp_path / "a.tsv").texts == (text,)


@given(st.lists(st.text(alphabet='ab" ,.é', min_size=1).filter(str.strip), min_size=1, max_size=5))
def test_what_a_csv_writer_writes_is_read_back(tmp_path_factory, texts):
    path = tmp_path_factory.mktemp("csv") / "a.tsv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerows([("index_id", "category", "text"), *((i, "c", text) for i, text in enumerate(texts))])
    assert list(sentences_of_columns(path).texts) == texts


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "header index_id category text in .*, line 1"),
        ("id\ttext\n", "header index_id category text in .*, line 1"),
        (f"{HEADER}1\ta\n", r"got 2 in .*a\.tsv, line 2"),
        (f"{HEADER}1\ta\tx\ty\n", r"got 4 in .*a\.tsv, line 2"),
        (f"{HEADER}1\ta\tx\n2\ta\t \n", r"'text' of .*a\.tsv, row 3"),
        (f"{HEADER}1\t\tx\n", r"'category' of .*a\.tsv, row 2"),
        (f"{HEADER}1\ta\tx\n1\ta\ty\n", r"'1' again in .*a\.tsv, row 3"),
    ],
)
def test_defects_name_file_and_line(tmp_path, content, message):
    (tmp_path / "a.tsv").write_text(content)
    with pytest.raises(ValueError, match=message) as error:
        sentences_of_columns(tmp_path / "a.tsv")
    assert "\n" not in str(error.value)


def test_alignment_is_by_id():
    tables = {
        "eng_Latn": SplitSentences("e", ("1", "2"), ("one", "two"), ("a", "b")),
        "deu_Latn": SplitSentences("d", ("2", "1"), ("zwei", "eins"), ("b", "a")),
    }
    corpus = align("c", list(tables), ["dev"], lambda language, _: tables[language])
    assert corpus.ids == ("dev-1", "dev-2")
    assert corpus.texts["deu_Latn"] == ("eins", "zwei")
    assert corpus.labels == ("a", "b")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (SplitSentences("d", ("1",), ("eins",), ("a",)), "d has 1 and e has 2"),
        (SplitSentences("d", ("1", "3"), ("eins", "drei"), ("a", "b")), "d lacks '2' of e, row 2"),
        (SplitSentences("d", ("1", "2"), ("eins", "zwei"), ("a", "a")), "d, row 2 has 'a' and e, row 2 has 'b'"),
    ],
)
def test_misalignment_is_refused(table, message):
    tables = {"eng_Latn": SplitSentences("e", ("1", "2"), ("one", "two"), ("a", "b")), "deu_Latn": table}
    with pytest.raises(ValueError, match=message):
        align("c", list(tables), ["dev"], lambda language, _: tables[language])
