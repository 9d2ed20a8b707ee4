from random import Random

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from tokenizers.trainers import BpeTrainer, UnigramTrainer, WordPieceTrainer
from transformers import ByT5Tokenizer, PreTrainedTokenizerFast

from babelscope.data import Corpus, LabelledCorpus
from babelscope.data.lab import LANGUAGES, lab_tagged, lab_text
from babelscope.data.objectives import IGNORED
from babelscope.data.tagged_files import tagged_examples
from babelscope.data.tagging import encode_tagged, is_tagged, tag_names
from babelscope.data.tasks import tagging
from tests.data import vocabularies

SOME = ["eng_Latn", "rus_Cyrl", "tha_Thai", "arb_Arab", "zho_Hans"]
CORPUS = lab_tagged(SOME, "dev")
TAGS = tag_names(CORPUS)


def trained(kind):
    """A tokenizer of the kind that BERT, XLM-R or BLOOM has, which knows of words before and after a blank."""
    texts = [text for code in SOME for text in lab_text(SOME, sentences=200).texts[code]]
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    if kind == "wordpiece":
        tokenizer = Tokenizer(models.WordPiece(unk_token="<unk>"))
        tokenizer.normalizer = normalizers.BertNormalizer()
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        trainer = WordPieceTrainer(vocab_size=600, special_tokens=special, show_progress=False)
    elif kind == "unigram":
        tokenizer = Tokenizer(models.Unigram())
        tokenizer.normalizer = normalizers.NFKC()
        tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
        trainer = UnigramTrainer(vocab_size=800, special_tokens=special, unk_token="<unk>", show_progress=False)
    else:
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
        tokenizer.decoder = decoders.ByteLevel()
        trainer = BpeTrainer(vocab_size=600, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[(token, tokenizer.token_to_id(token)) for token in ("<s>", "</s>")]
    )
    names = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names)


@pytest.mark.parametrize("kind", ["wordpiece", "unigram", "bytes"])
def test_labels_are_where_hugging_face_finds_the_first_token_of_a_word(kind):
    tokenizer = trained(kind)
    for language in SOME:
        examples = CORPUS.examples(language)
        rows = encode_tagged(CORPUS, language, tokenizer=tokenizer, tags=TAGS, max_length=256)
        split = tokenizer([list(words) for words in examples.words], is_split_into_words=True)
        for i, row in enumerate(rows):
            of_token = split.word_ids(i)
            first = [word is not None and word not in of_token[:place] for place, word in enumerate(of_token)]
            wanted = [
                TAGS.index(examples.tags[i][word]) if new else IGNORED
                for word, new in zip(of_token, first, strict=True)
            ]
            assert row == {"input_ids": split["input_ids"][i], "labels": wanted}


def test_a_batch_pads_tokens_and_tags():
    tokenizer = vocabularies.masked()
    corpus = LabelledCorpus("two", {"eng_Latn": tagged_examples([(("w1", "w2"), ("X", "Y")), (("w3",), ("Y",))])})
    task = tagging(tokenizer, ("X", "Y"))
    batch = task.collate(task.encode(corpus, "eng_Latn"))
    assert batch["labels"].tolist() == [[IGNORED, 0, 1, IGNORED], [IGNORED, 1, IGNORED, IGNORED]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 1], [1, 1, 1, 0]]
    assert batch["input_ids"][1, 3] == tokenizer.pad_token_id
    assert torch.equal(task.collate_same(task.encode(corpus, "eng_Latn"))["labels"], batch["labels"])


def test_words_beyond_the_end_have_no_label():
    words = tuple(f"w{i}" for i in range(20))
    corpus = LabelledCorpus("long", {"eng_Latn": tagged_examples([(words, ("X", "Y") * 10)])})
    given = {"tokenizer": vocabularies.masked(), "tags": ("X", "Y")}
    (row,) = encode_tagged(corpus, "eng_Latn", max_length=7, **given)
    assert row["labels"] == [IGNORED, 0, 1, 0, 1, 0, IGNORED]


def test_a_word_without_a_token_is_passed_over_and_a_text_without_any_refused():
    tokenizer = vocabularies.masked()
    tokenizer.backend_tokenizer.normalizer = normalizers.Replace("w2", "")
    sentences = [(("w1", "w2", "w3"), ("X", "Y", "Z")), (("w2", "w2"), ("X", "Y"))]
    given = {"tokenizer": tokenizer, "tags": ("X", "Y", "Z"), "max_length": 9}
    whole = LabelledCorpus("x", {"eng_Latn": tagged_examples(sentences[:1])})
    assert encode_tagged(whole, "eng_Latn", **given)[0]["labels"] == [IGNORED, 0, 2, IGNORED]
    with pytest.raises(ValueError, match=r"sentence '2' in eng_Latn .*has none; remove it"):
        encode_tagged(LabelledCorpus("x", {"eng_Latn": tagged_examples(sentences)}), "eng_Latn", **given)


def test_random_words_of_bytes_are_found_where_they_begin():
    random, tokenizer = Random(0), trained("bytes")
    for _ in range(20):
        words = tuple("".join(random.choices("aé字🙂 .x", k=random.randint(1, 4))).strip() or "b" for _ in range(6))
        corpus = LabelledCorpus("x", {"eng_Latn": tagged_examples([(words, tuple("ABCDEF"))])})
        (row,) = encode_tagged(corpus, "eng_Latn", tokenizer=tokenizer, tags=tuple("ABCDEF"), max_length=256)
        assert [label for label in row["labels"] if label != IGNORED] == [0, 1, 2, 3, 4, 5]


def test_tags_are_those_of_all_texts():
    one, other = (
        LabelledCorpus("x", {code: tagged_examples([(("a", "b"), tags)])})
        for code, tags in (("eng_Latn", ("X", "Z")), ("deu_Latn", ("Y", "X")))
    )
    assert tag_names(one, other) == ("X", "Y", "Z")
    assert is_tagged(one)
    plain = Corpus("plain", ("1",), {"eng_Latn": ("a",)})
    assert not is_tagged(plain)
    with pytest.raises(ValueError, match="at least 2 tags to tell apart, but 'plain' has none"):
        tag_names(plain)
    given = {"tokenizer": vocabularies.masked(), "tags": ("X", "Z"), "max_length": 9}
    with pytest.raises(ValueError, match="the tags X, Z in 'x', but got 'Y' in deu_Latn"):
        encode_tagged(other, "deu_Latn", **given)
    with pytest.raises(ValueError, match="text with tagged words, but 'plain' has none"):
        encode_tagged(plain, "eng_Latn", **given)


def test_a_tokenizer_that_does_not_know_places_is_refused():
    with pytest.raises(ValueError, match="which characters a token stands for, but ByT5Tokenizer does not; choose"):
        encode_tagged(CORPUS, "eng_Latn", tokenizer=ByT5Tokenizer(), tags=TAGS, max_length=256)


def test_the_lab_says_what_its_words_are():
    assert TAGS == ("adjective", "agent", "object", "place", "time", "verb")
    every = lab_tagged(LANGUAGES, "test")
    assert all(len(own.ids) == 200 for own in every.by_language.values())
