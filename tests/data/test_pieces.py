from types import SimpleNamespace

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import ByT5Tokenizer, PreTrainedTokenizerFast

from babelscope.analyses.tokens.vocabulary import label_tokens
from babelscope.data import vocabulary
from babelscope.data.lab import LANGUAGES, lab_text
from babelscope.data.pieces import decode_pieces
from babelscope.data.scripts import label
from tests.models.tiny import SENTINELS, SPECIAL, tiny_tokenizer

KINDS = ("xlmr_unigram", "mt5_unigram", "bloom_bytes", "llama_bpe", "wordpiece")


def wordpiece(texts, *, size):
    """As BERT's, with placeholders that it calls nothing special."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    special = ["[PAD]", "[unused0]", "[unused1]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator(
        texts, trainers.WordPieceTrainer(vocab_size=size, special_tokens=special, show_progress=False)
    )
    plain = Tokenizer(models.WordPiece(vocab=tokenizer.get_vocab(), unk_token="[UNK]"))
    plain.pre_tokenizer, plain.decoder = pre_tokenizers.BertPreTokenizer(), decoders.WordPiece()
    return PreTrainedTokenizerFast(
        tokenizer_object=plain,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    )


@pytest.fixture(scope="module")
def texts():
    corpus = lab_text(LANGUAGES, sentences=60)
    return [text for language in LANGUAGES for text in corpus.texts[language]]


@pytest.fixture(scope="module", params=KINDS)
def trained(request, texts):
    make = wordpiece if request.param == "wordpiece" else getattr(vocabulary, request.param)
    return request.param, make(texts, size=3000)


def test_all_ids_in_order_and_no_mark_is_left(trained):
    kind, tokenizer = trained
    pieces = decode_pieces(tokenizer)
    assert [piece.id for piece in pieces] == list(range(len(tokenizer)))
    assert [piece.piece for piece in pieces] == tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    words = [piece for piece in pieces if piece.kind == "word"]
    assert len(words) > 1000
    marks = {"bloom_bytes": "\u0120", "wordpiece": "##"}.get(kind, "\u2581")
    assert not [piece for piece in words if marks in piece.text]
    assert {True, False} == {piece.starts_word for piece in words}


def test_the_words_of_a_text_spell_it(trained, texts):
    _, tokenizer = trained
    pieces = {piece.id: piece for piece in decode_pieces(tokenizer)}
    for text in texts[::60]:
        read = [pieces[i] for i in tokenizer(text, add_special_tokens=False)["input_ids"]]
        if all(piece.kind == "word" for piece in read):  # else a character is in bytes
            assert "".join(piece.text for piece in read) == text.replace(" ", "")
        spaces = text.count(" ")
        assert sum(piece.starts_word for piece in read[1:]) >= spaces


def test_kinds_set_apart_what_is_no_text(trained):
    kind, tokenizer = trained
    found: dict[str, list[str]] = {}
    for piece in decode_pieces(tokenizer):
        found.setdefault(piece.kind, []).append(piece.piece)
    expected = {
        "xlmr_unigram": ["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
        "mt5_unigram": ["<pad>", "</s>", "<unk>", *(f"<extra_id_{i}>" for i in range(32))],
        "bloom_bytes": ["<unk>", "<s>", "</s>", "<pad>"],
        "llama_bpe": ["<unk>", "<s>", "</s>"],
        "wordpiece": ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
    }
    assert found["special"] == expected[kind]
    assert ("byte" in found) == (kind in ("bloom_bytes", "llama_bpe"))
    if kind == "llama_bpe":
        assert found["byte"] == [f"<0x{i:02X}>" for i in range(256)]
    if kind == "wordpiece":
        assert found["control"] == ["[unused0]", "[unused1]"]


def test_single_bytes_are_text_only_where_utf8_says_so():
    by_piece = {piece.piece: piece for piece in decode_pieces(tiny_tokenizer())}
    assert {by_piece[token].kind for token in (*SPECIAL, *SENTINELS)} == {"special"}
    counts = [piece.kind for piece in by_piece.values()]
    assert (counts.count("byte"), counts.count("word"), counts.count("control")) == (128, 95, 33)
    assert by_piece["a"].text == "a"
    assert (by_piece["Ġ"].text, by_piece["Ġ"].starts_word, by_piece["Ġ"].legacy) == ("", True, "\u2581")
    assert (by_piece["Ã"].text, by_piece["Ã"].kind, by_piece["Ã"].legacy) == ("<0xC3>", "byte", "bad: Ã")
    assert by_piece["Ċ"].kind == "control"  # a line feed


def byte_level(*words, pre_tokenizer=None):
    tokenizer = Tokenizer(models.BPE(vocab={word: i for i, word in enumerate(words)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizer or pre_tokenizers.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer)


def test_pieces_of_a_byte_level_vocabulary():
    split = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.ByteLevel()])
    cat, mark = "ĠÐºÐ¾ÑĤ", "âĸģ"
    pieces = decode_pieces(byte_level(cat, "ä½", "Ġä½", mark, "ĠĠĠ", pre_tokenizer=split))
    assert [(p.text, p.kind, p.starts_word) for p in pieces] == [
        ("кот", "word", True),
        ("<0xE4><0xBD>", "byte", False),
        ("<0x20><0xE4><0xBD>", "byte", True),
        ("\u2581", "word", False),  # the character itself, which is no mark here
        ("", "word", True),
    ]
    assert pieces[0].legacy == "\u2581кот"


def test_added_text_is_not_in_the_scheme_of_the_vocabulary():
    tokenizer = byte_level("a", "Ã©")
    tokenizer.add_tokens(["é", "<table>", AddedToken("<|end|>", special=True), AddedToken("\n\n")])
    pieces = {piece.piece: (piece.text, piece.kind) for piece in decode_pieces(tokenizer)}
    assert pieces == {
        "a": ("a", "word"),
        "Ã©": ("é", "word"),
        "é": ("é", "word"),
        "<table>": ("<table>", "control"),
        "<|end|>": ("<|end|>", "special"),
        "\n\n": ("\n\n", "control"),
    }


def test_marks_and_prefixes_alone(texts):
    tokenizer = Tokenizer(models.WordPiece({"[UNK]": 0, "##": 1, "#": 2, "##a": 3, "a": 4}, unk_token="[UNK]"))
    pieces = decode_pieces(PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]"))
    assert [(p.text, p.starts_word) for p in pieces[1:]] == [("##", True), ("#", True), ("a", False), ("a", True)]
    tokenizer = Tokenizer(models.Unigram([("<unk>", 0.0), ("\u2581", -1.0), ("\u2581de\u2581la", -1.0)], unk_id=0))
    pieces = decode_pieces(PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>"))
    assert [(p.text, p.starts_word, p.legacy) for p in pieces[1:]] == [
        ("", True, "\u2581"),
        ("de la", True, "\u2581de\u2581la"),
    ]


@pytest.mark.parametrize(
    ("words", "texts"), [(["a", "##b"], ["a", "b"]), (["\u2581a", "##b"], ["a", "##b"]), (["a", "b"], ["a", "b"])]
)
def test_a_tokenizer_written_in_python_tells_by_its_vocabulary(words, texts):
    tokenizer = SimpleNamespace(
        get_vocab=lambda: {word: i for i, word in enumerate(words)}, added_tokens_decoder={}, all_special_ids=[]
    )
    assert [piece.text for piece in decode_pieces(tokenizer)] == texts


def test_bytes_of_byt5_are_text_in_ascii_only():
    pieces = decode_pieces(ByT5Tokenizer())
    by_id = {piece.id: piece for piece in pieces}
    assert (by_id[0xE9 + 3].piece, by_id[0xE9 + 3].text, by_id[0xE9 + 3].kind) == ("é", "<0xE9>", "byte")
    assert (by_id[0x80 + 3].text, by_id[ord("a") + 3].text) == ("<0x80>", "a")
    space = by_id[ord(" ") + 3]
    assert (space.text, space.starts_word, by_id[ord("\n") + 3].kind) == ("", True, "control")
    counts = [piece.kind for piece in pieces]
    assert (counts.count("byte"), counts.count("word"), counts.count("control")) == (128, 95, 33)
    assert counts.count("special") == len(pieces) - 256


def bpe(words, **marks):
    tokenizer = Tokenizer(models.BPE(vocab={word: i for i, word in enumerate(words)}, merges=[], **marks))
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer)


def test_marks_of_a_words_end_are_no_text():
    pieces = decode_pieces(bpe(["кот</w>", "кот", "</w>", "w", "</w"], end_of_word_suffix="</w>"))
    assert [(p.text, p.starts_word) for p in pieces] == [
        ("кот", True),
        ("кот", False),
        ("", True),
        ("w", False),
        ("</w", False),
    ]
    assert label_tokens(pieces).labels[:2] == ("Cyrl", "Cyrl")
    assert label_tokens(pieces).pieces[:3] == ("\u2581кот", "кот", "\u2581")
    assert [label(p.text) for p in decode_pieces(bpe(["1</w>", "。</w>"], end_of_word_suffix="</w>"))] == ["N", "P"]


def test_marks_of_both_ends():
    both = {"continuing_subword_prefix": "##", "end_of_word_suffix": "</w>"}
    pieces = decode_pieces(bpe(["a</w>", "a", "##a", "##a</w>"], **both))
    assert [(p.text, p.starts_word) for p in pieces] == [("a", True), ("a", True), ("a", False), ("a", False)]
    tokenizer = byte_level("ÐºÐ¾ÑĤ</w>", "ÐºÐ¾ÑĤ", "ä½</w>")  # as CLIP's
    tokenizer.backend_tokenizer.model.end_of_word_suffix = "</w>"
    pieces = decode_pieces(tokenizer)
    assert [(p.text, p.kind, p.starts_word) for p in pieces] == [
        ("кот", "word", True),
        ("кот", "word", False),
        ("<0xE4><0xBD>", "byte", True),
    ]


@pytest.mark.parametrize(
    ("name", "words", "read"),
    [
        ("PhobertTokenizer", ["xin@@", "chào", "@@"], [("xin", False), ("chào", True), ("@@", True)]),
        ("BertweetTokenizer", ["a@@"], [("a", False)]),
        ("FlaubertTokenizer", ["le</w>", "le"], [("le", True), ("le", False)]),
        ("OtherTokenizer", ["a@@"], [("a@@", False)]),
    ],
)
def test_a_tokenizer_written_in_python_tells_by_its_class(name, words, read):
    methods = {"get_vocab": lambda self: {word: i for i, word in enumerate(words)}}
    tokenizer = type(name, (), {**methods, "added_tokens_decoder": {}, "all_special_ids": []})()
    assert [(piece.text, piece.starts_word) for piece in decode_pieces(tokenizer)] == read


def test_an_empty_vocabulary_is_an_error():
    with pytest.raises(ValueError, match=r"to have a vocabulary, but that of \w+ is empty"):
        decode_pieces(PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE())))
