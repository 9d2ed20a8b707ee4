from babelscope.analyses.tokens.vocabulary import keep_shared, label_tokens
from babelscope.data.pieces import Piece

PIECES = [
    Piece(0, "<s>", "<s>", "special", False, "<s>"),
    Piece(1, "▁море", "море", "word", True, "▁море"),
    Piece(3, "a", "a", "word", False, "a"),
]


def test_labels_by_script_leave_special_tokens_out():
    vocabulary = label_tokens(PIECES)
    assert vocabulary.labels == ("", "Cyrl", "", "Latn")
    assert vocabulary.texts == ("", "море", "", "a")
    assert vocabulary.pieces == ("<s>", "▁море", "", "a")


def test_legacy_labels_every_token():
    assert label_tokens(PIECES, legacy=True).labels == ("S", "CYRILLIC", "", "LATIN")


def test_legacy_labels_no_special_token_beyond_the_table():
    beyond = [*PIECES, Piece(4, "<image>", "<image>", "special", False, "<image>")]
    assert label_tokens(beyond, legacy=True).labels[-1] == "LATIN"
    assert label_tokens(beyond, legacy=True, rows=4).labels == ("S", "CYRILLIC", "", "LATIN", "")
    assert label_tokens(PIECES, legacy=True, rows=3).labels[-1] == "LATIN"  # a word, whose row is missed


def test_the_intersection_empties_labels_of_other_tokens():
    vocabulary = label_tokens(PIECES)
    assert keep_shared(vocabulary, [label_tokens(PIECES[:2])]) == ("", "Cyrl", "", "")
    assert keep_shared(vocabulary, [vocabulary]) == vocabulary.labels
