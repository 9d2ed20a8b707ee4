"""Pairs of texts as token ids, joined as the model's tokenizer joins them."""

from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase

from babelscope.data.encoding import Encoding, NoTokensError, count_added, cutting_on_the_right
from babelscope.data.source_language import source_language

BETWEEN = "\n"
"""Separates two texts where a tokenizer puts no token between them, such as BLOOM's."""


def encode_pairs(
    pairs: Sequence[tuple[str, str]],
    tokenizer: PreTrainedTokenizerBase,
    *,
    max_length: int = 512,
    language: str | None = None,
) -> list[Encoding]:
    """Tokenize pairs with special tokens, cutting the longer text of each until both fit.

    Args:
        pairs: N of them.
        tokenizer: of the model.
        max_length: most tokens of a pair, special ones included; the tokenizer's own limit holds as well.
        language: FLORES code of all of them, for models with language tokens; None leaves it to the tokenizer.

    Raises:
        ValueError: if max_length leaves no room for both texts.
        NoTokensError: if a pair has no ordinary token.
    """
    longest = min(max_length, tokenizer.model_max_length)
    with cutting_on_the_right(tokenizer), source_language(tokenizer, language):
        alone, both = (tokenizer.num_special_tokens_to_add(pair=pair) for pair in (False, True))
        if longest < max(alone, both) + 2:
            raise ValueError(
                f"Expected `max_length` to be more than the {max(alone, both)} special tokens of a pair and a token of "
                f"each text, but got {longest}; raise it"
            )
        made = (_by_template if both > alone else _by_line)(pairs, tokenizer, longest)
    for i, pair in enumerate(made):
        if all(pair.special):
            raise NoTokensError([" ".join(texts) for texts in pairs], i)
    return made


def _by_template(pairs: Sequence[tuple[str, str]], tokenizer: PreTrainedTokenizerBase, longest: int) -> list[Encoding]:
    rows = tokenizer(
        [first for first, _ in pairs],
        [second for _, second in pairs],
        truncation="longest_first",
        max_length=longest,
        padding=False,
        return_attention_mask=False,
        return_special_tokens_mask=True,
        return_token_type_ids=True,
    )
    columns = zip(rows["input_ids"], rows["special_tokens_mask"], rows["token_type_ids"], strict=True)
    return [Encoding(list(ids), [bool(flag) for flag in mask], list(types)) for ids, mask, types in columns]


def _by_line(pairs: Sequence[tuple[str, str]], tokenizer: PreTrainedTokenizerBase, longest: int) -> list[Encoding]:
    """Join the texts by a line break where the tokenizer puts no token between them.

    The special tokens of a single text surround both.
    """
    before, after = count_added(tokenizer)
    around = tokenizer("a")["input_ids"]
    options = {"add_special_tokens": False, "return_attention_mask": False, "verbose": False}
    firsts = tokenizer([first for first, _ in pairs], **options)["input_ids"]
    seconds = tokenizer([BETWEEN + second for _, second in pairs], **options)["input_ids"]
    made = []
    for first, second in zip(firsts, seconds, strict=True):
        one, two = _fit(len(first), len(second), longest - before - after)
        ids = [*around[:before], *first[:one], *second[:two], *around[len(around) - after :]]
        inside = one + two
        special = [True] * before + [False] * inside + [True] * after
        made.append(Encoding(ids, special, [0] * (before + one) + [1] * (two + after)))
    return made


def _fit(first: int, second: int, room: int) -> tuple[int, int]:
    """Cut the longer of two lengths, or both alike, until their sum is at most `room`."""
    over = max(0, first + second - room)
    longer = min(over, abs(first - second))
    each, odd = divmod(over - longer, 2)
    # of two that are alike, the second loses the odd token
    from_first, from_second = (longer, 0) if first > second else (0, longer)
    return first - from_first - each, second - from_second - each - odd
