"""Check that a model can read a tokenizer's output before it runs, because the model's own error is unhelpful."""

from babelscope.models.parts import Parts


def refuse_unreadable(parts: Parts, *, highest: int, longest: int) -> None:
    """Refuse tokens or positions for which the model has no row.

    Args:
        parts: Where the layers of the loaded model are.
        highest: The highest token id in the texts.
        longest: The number of tokens of the longest text.

    Raises:
        ValueError: if a token has no row in the token table, or a text is longer than the model can read.
    """
    # read from the weight, which a table wrapped by an adapter also has
    rows = int(parts.tokens.weight.shape[0])  # type: ignore[index]
    if highest >= rows:
        raise ValueError(
            f"Expected token ids below the {rows} rows of the token table, but the tokenizer gives {highest}; resize "
            "the model's embeddings, or set model.tokenizer to the model's own."
        )
    if (
        parts.max_length is not None and longest > parts.max_length
    ):  # `load` lets the tokenizer cut them; another may not
        raise ValueError(
            f"Expected texts of at most {parts.max_length} tokens, for the model has no more positions, but got one of "
            f"{longest}; set model_max_length of the tokenizer to {parts.max_length}."
        )
