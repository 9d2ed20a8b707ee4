import pytest

from babelscope.data.conll import read_conll

UD = """# sent_id = 1
# text = Vámonos al mar.
1-2\tVámonos\t_\t_\t_\t_\t_\t_\t_\t_
1\tVamos\tir\tVERB\tv\t_\t0\troot\t_\t_
2\tnos\tnosotros\tPRON\tp\t_\t1\tobj\t_\t_
3-4\tal\t_\t_\t_\t_\t_\t_\t_\t_
3\ta\ta\tADP\ts\t_\t5\tcase\t_\t_
4\tel\tel\tDET\td\t_\t5\tdet\t_\t_
5\tmar\tmar\tNOUN\tn\t_\t1\tobl\t_\tSpaceAfter=No
6\t.\t.\tPUNCT\tf\t_\t1\tpunct\t_\t_

1\t1 000\t1000\tNUM\tz\t_\t0\troot\t_\t_
1.1\tgone\tgo\tVERB\t_\t_\t_\t_\t_\t_
2\t#\t#\tSYM\tf\t_\t1\tdep\t_\t_
"""


def written(folder, name, text):
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def test_universal_dependencies_by_their_words(tmp_path):
    file = written(tmp_path, "es-ud-train.conllu", UD)
    assert read_conll(file) == [
        (("Vamos", "nos", "a", "el", "mar", "."), ("VERB", "PRON", "ADP", "DET", "NOUN", "PUNCT")),
        (("1 000", "#"), ("NUM", "SYM")),
    ]
    assert read_conll(file, tags="deprel")[1] == (("1 000", "#"), ("root", "dep"))
    assert read_conll(file, words=3, tags=5) == read_conll(file, words="lemma", tags="xpos")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("four.conll", "-DOCSTART- -X- -X- O\n\nAda NNP B-NP B-PER\nran VBD B-VP O\n\n# SYM B-NP O\n"),
        ("two.txt", "Ada B-PER\nran O\n\n\n# O\n\n"),
        ("tabs.tsv", "Ada\tB-PER\r\nran\tO\r\n\r\n#\tO\r\n"),
        ("wikiann", "en:Ada\tB-PER\nen:ran\tO\n\nen:#\tO\n"),
        ("names.tsv", "Token\tTag\nAda\tB-PER\nran\tO\n\n#\tO\n"),
        ("names_apart.txt", "word ner_tags\n\nen:Ada B-PER\nen:ran O\n\nen:# O\n"),
        ("multiconer.conll", "# id 1\tdomain=en\nAda _ _ B-PER\nran _ _ O\n\n# id 2 domain=en\n# _ _ O\n"),
        ("ontonotes.conll", "#begin document (x); part 000\nAda B-PER\nran O\n\n# O\n#end document\n"[:-14]),
        ("comments.bio", "# id = 1\nAda\tx\tB-PER\nran\tx\tO\n\n# id = 2\n#\tx\tO"),
    ],
)
def test_a_word_per_line(name, text, tmp_path):
    assert read_conll(written(tmp_path, name, text)) == [(("Ada", "ran"), ("B-PER", "O")), (("#",), ("O",))]


def test_blanks_that_are_part_of_a_word(tmp_path):
    file = written(tmp_path, "x.txt", "10\u00a0000 NUM\n\u3000 PUNCT\n \t\nftp://a X\n")
    assert read_conll(file) == [(("10\u00a0000", "\u3000"), ("NUM", "PUNCT")), (("ftp://a",), ("X",))]


def test_columns_are_chosen_by_number(tmp_path):
    file = written(tmp_path, "uner.iob2", "# text = Ada ran\n1\tAda\tB-PER\t-\tme\n2\tran\tO\t-\tme\n")
    assert read_conll(file, words=2, tags=3) == [(("Ada", "ran"), ("B-PER", "O"))]


def test_a_colon_is_no_language_unless_all_words_have_it(tmp_path):
    file = written(tmp_path, "x.txt", "en:Ada X\nde:Ada Y\n")
    assert read_conll(file) == [(("en:Ada", "de:Ada"), ("X", "Y"))]


def test_a_word_that_begins_with_slashes_has_its_language_too(tmp_path):
    file = written(tmp_path, "test", "de://\tO\nde:Ada\tB-PER\n")
    assert read_conll(file) == [(("//", "Ada"), ("O", "B-PER"))]
    addresses = written(tmp_path, "x.txt", "ftp://a X\nftp://b Y\n")
    assert read_conll(addresses) == [(("ftp://a", "ftp://b"), ("X", "Y"))]


def test_a_first_word_is_no_name_of_a_column_where_its_tag_occurs_again(tmp_path):
    file = written(tmp_path, "x.txt", "form tag\nof O\nword tag\n")
    assert read_conll(file) == [(("form", "of", "word"), ("tag", "O", "tag"))]


@pytest.mark.parametrize(
    ("name", "text", "columns", "message"),
    [
        (
            "a.txt",
            "Ada X\nran\n",
            {},
            r"Expected 2 columns separated by blanks, but got 1 in .*a\.txt, line 2; correct this line",
        ),
        ("a.txt", "Ada X\n", {"tags": 3}, r"columns 1 and 3, but there are 2 columns in .*line 1; correct task"),
        ("a.tsv", "Ada\tX\n\tY\n", {}, r"one of them is empty in .*a\.tsv, line 2; fill it"),
        ("a.txt", "Ada X Y B-PER\nNew York X O\nin O\n", {}, r"Expected 4 columns .* got 2 in .*line 3"),
        ("a.txt", "Ada X\n", {"words": 2}, r"columns 2 and last, but there are 2 columns"),
        ("a.txt", "en:Ada X\nen: Y\n", {}, r"a word after every 'en:' in .*a\.txt"),
        ("a.conllu", "1\tAda\tNOUN\n", {}, r"Expected 10 columns separated by tabs, but got 3 in .*line 1"),
        ("a.conllu", UD.replace("1.1\t", "1a\t"), {}, r"Expected the number of a word .*got '1a' in .*line 13"),
        (
            "a.txt",
            "Wort Art\nAda B-PER\nran O\n",
            {},
            r"such as B-PER, O, but the first one in .*a\.txt is 'Art'; remove",
        ),
        ("a.txt", "Token Tag\n", {}, r"Expected sentences of a word per line in .*a\.txt, but found none"),
        ("a.txt", "\n\n", {}, r"Expected sentences of a word per line in .*a\.txt, but found none"),
        ("a.txt", "Ada X\n", {"tags": "upos"}, r"`task\.corpus\.tags` to be the number of a column.*got 'upos'"),
        ("a.conllu", UD, {"words": "word"}, r"`task\.corpus\.words` to be one of id, form, .*or the number.*'word'"),
        ("a.txt", "Ada X\n", {"words": 0}, r"`task\.corpus\.words` to be the number .*counted from 1, but got 0"),
    ],
)
def test_what_cannot_be_read_is_named(name, text, columns, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        read_conll(written(tmp_path, name, text), **columns)
