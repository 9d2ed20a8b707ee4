"""Tiny tokenizers of every kind, built on the spot."""

from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

WORDS = [f"w{i}" for i in range(40)]


def _words(special: list[str], template: str | None) -> Tokenizer:
    vocabulary = {word: i for i, word in enumerate([*special, *WORDS, "a"])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    if template:
        named = [(token, vocabulary[token]) for token in template.split() if token in vocabulary]
        tokenizer.post_processor = processors.TemplateProcessing(single=template, special_tokens=named)
    return tokenizer


def masked(**options) -> PreTrainedTokenizerFast:
    """`<s> text </s>` with a mask token, as XLM-R."""
    return PreTrainedTokenizerFast(
        tokenizer_object=_words(["<s>", "<pad>", "</s>", "<unk>", "<mask>"], "<s> $A </s>"),
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        mask_token="<mask>",
        **options,
    )


def span(sentinels: int = 8, boundary: str = "") -> PreTrainedTokenizerFast:
    """`text </s>` with sentinels, as mT5."""
    extra = [f"{boundary}<extra_id_{i}>" for i in range(sentinels)]
    return PreTrainedTokenizerFast(
        tokenizer_object=_words(["<pad>", "</s>", "<unk>", *extra], "$A </s>"),
        eos_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
    )


def causal(**options) -> PreTrainedTokenizerFast:
    """`text` alone, as BLOOM, without a pad token."""
    return PreTrainedTokenizerFast(
        tokenizer_object=_words(["<s>", "</s>", "<unk>"], None), eos_token="</s>", unk_token="<unk>", **options
    )


def llama() -> PreTrainedTokenizerFast:
    """`<s> text`, padded on the left, without a pad token."""
    return PreTrainedTokenizerFast(
        tokenizer_object=_words(["<unk>", "<s>", "</s>"], "<s> $A"),
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        padding_side="left",
    )
