"""A new tokenizer; a vocabulary that is too small for the text is refused with the size that it needs."""

from collections.abc import Callable, Iterable, Sequence

from transformers import PreTrainedTokenizerBase

TrainTokenizer = Callable[[Iterable[str]], PreTrainedTokenizerBase]
ROOM = 400
"""For special tokens, of which mT5 has 100 sentinels, and for characters that normalization adds."""


def new_tokenizer(train: TrainTokenizer, texts: Sequence[str]) -> PreTrainedTokenizerBase:
    """Train a tokenizer from texts.

    Args:
        train: A function of texts; `size`, where it is a partial with that keyword, is kept.
        texts: Read once.

    Raises:
        ValueError: if `size` has no room for the characters of the texts.
    """
    try:
        return train(iter(texts))
    except RuntimeError as error:  # sentencepiece's; the others make as many tokens as they need
        size = getattr(train, "keywords", {}).get("size")
        enough = len({*"".join(texts)}) + ROOM
        wanted = "a larger one" if size is None or size >= enough else f"model.recipe.tokenizer.size={enough}, or more"
        raise ValueError(
            "Expected `model.recipe.tokenizer.size` to leave room for special tokens and all characters of the text, "
            f"but got {size}; write {wanted}."
        ) from error
