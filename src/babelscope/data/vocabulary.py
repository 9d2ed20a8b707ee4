"""Tokenizers trained from text, one kind per family, with the special tokens that the family's checkpoints have."""

from collections.abc import Iterable, Sequence
from io import BytesIO

from sentencepiece import SentencePieceProcessor, SentencePieceTrainer
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast


def xlmr_unigram(texts: Iterable[str], *, size: int = 4000) -> PreTrainedTokenizerFast:
    """Train a Unigram vocabulary with XLM-R's special tokens: `<s> text </s>`."""
    tokenizer = _unigram(texts, size, ["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    tokenizer.post_processor = _template(tokenizer, "<s> $A </s>", "<s> $A </s> </s> $B </s>", ["<s>", "</s>"])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        cls_token="<s>",
        sep_token="</s>",
        unk_token="<unk>",
        pad_token="<pad>",
        mask_token="<mask>",
        model_max_length=512,
    )


def mt5_unigram(texts: Iterable[str], *, size: int = 4000, sentinels: int = 32) -> PreTrainedTokenizerFast:
    """Train a Unigram vocabulary with mT5's special tokens: `text </s>`, and sentinels for span corruption."""
    extra = [f"<extra_id_{i}>" for i in range(sentinels)]
    tokenizer = _unigram(texts, size, ["<pad>", "</s>", "<unk>", *extra])
    tokenizer.post_processor = _template(tokenizer, "$A </s>", "$A </s> $B </s>", ["</s>"])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="</s>",
        unk_token="<unk>",
        pad_token="<pad>",
        additional_special_tokens=extra,
        model_max_length=512,
    )


def bloom_bytes(texts: Iterable[str], *, size: int = 4000) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE with BLOOM's special tokens, none of which is added to a text."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=["<unk>", "<s>", "</s>", "<pad>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        model_max_length=512,
    )


def llama_bpe(texts: Iterable[str], *, size: int = 4000) -> PreTrainedTokenizerFast:
    """Train a BPE with byte fallback and LLaMA's special tokens: `<s> text`, and, as there, no padding token."""
    bytes_ = [f"<0x{i:02X}>" for i in range(256)]
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace()])
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=["<unk>", "<s>", "</s>", *bytes_], show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = _template(tokenizer, "<s> $A", "<s> $A <s> $B", ["<s>"])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>", eos_token="</s>", model_max_length=512
    )


def _unigram(texts: Iterable[str], size: int, special: Sequence[str]) -> Tokenizer:
    # by sentencepiece, as the published ones: the trainer of `tokenizers` numbers its pieces differently at every run
    proto = BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_writer=proto,
        vocab_size=size - len(special) + 1,
        hard_vocab_limit=False,
        character_coverage=1.0,
        unk_id=0,
        bos_id=-1,
        eos_id=-1,
        pad_id=-1,
        num_threads=1,
        minloglevel=2,
    )
    pieces = SentencePieceProcessor(model_proto=proto.getvalue())
    known = [(pieces.id_to_piece(i), pieces.get_score(i)) for i in range(1, pieces.get_piece_size())]
    vocabulary = [(token, 0.0) for token in special] + known
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=special.index("<unk>")))
    tokenizer.add_special_tokens(list(special))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    return tokenizer


def _template(tokenizer: Tokenizer, single: str, pair: str, special: Sequence[str]) -> processors.TemplateProcessing:
    return processors.TemplateProcessing(
        single=single, pair=pair, special_tokens=[(token, tokenizer.token_to_id(token)) for token in special]
    )
