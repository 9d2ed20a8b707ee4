"""A new tokenizer; a vocabulary that is too small for the text is refused with the size that it needs."""

from collections.abc import Callable, Iterable, Sequence

from transformers import PreTrainedTokenizerBase

TrainTokenizer = Callable[[Iterable[str]], PreTrainedTokenizerBase]
ROOM = 100
"""For special tokens, and for characters that normalization adds."""


def new_tokenizer(train: TrainTokenizer, texts: Sequence[str]) -> PreTrainedTokenizerBase:
    """Train a tokenizer from texts.

    Args:
        train: A function of texts; `size`, where it is a partial with that keyword, is kept.
        texts: Read once.

    Raises:
        ValueError: if `size` has no room for the characters of the texts.
    """
    size = getattr(train, "keywords", {}).get("size")
    try:
        tokenizer = train(iter(texts))
        least = len(tokenizer)
    except RuntimeError:  # sentencepiece's; the others make as many tokens as they need
        least = len({*"".join(texts)}) + ROOM
        if size is None or size >= least:
            raise
    if size is not None and size < least:
        raise ValueError(
            f"Expected `model.recipe.tokenizer.size` to leave room for special tokens and all characters of the text, "
            f"but got {size}; write model.recipe.tokenizer.size={least}, or more."
        )
    return tokenizer
