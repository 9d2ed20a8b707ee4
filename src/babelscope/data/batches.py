"""Texts as batches of similar length, filled up to a number of tokens."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from babelscope.data.encoding import attention_mask, encode, pad, pad_id


@dataclass(frozen=True)
class Batch:
    """B texts padded on the right to T tokens.

    Attributes:
        input_ids: token ids (B, T), long.
        attention_mask: 1 on tokens, 0 on padding (B, T), long.
        ordinary: attended and not special (B, T), bool.
        index: position of each text in the list it came from (B,), long.
    """

    input_ids: Tensor
    attention_mask: Tensor
    ordinary: Tensor
    index: Tensor

    @property
    def width(self) -> int:
        """T, the tokens of the longest text."""
        return self.input_ids.shape[1]

    def rows(self, start: int, stop: int) -> "Batch":
        """Take the texts in rows `start` to `stop`, without unnecessary padding."""
        return self.take(torch.arange(start, min(stop, len(self.index))))

    def take(self, rows: Tensor) -> "Batch":
        """Take the texts in some rows (R,), at least one, without unnecessary padding."""
        attention_mask = self.attention_mask[rows]
        width = int(attention_mask.sum(dim=1).max())
        return Batch(
            self.input_ids[rows, :width].contiguous(),
            attention_mask[:, :width].contiguous(),
            self.ordinary[rows, :width].contiguous(),
            self.index[rows],
        )


def batches(
    texts: Sequence[str],
    tokenizer: PreTrainedTokenizerBase,
    *,
    max_tokens: int = 4096,
    max_length: int = 512,
    languages: Sequence[str] | None = None,
) -> list[Batch]:
    """Tokenize texts and batch them by length, the longest first, so that a lack of memory shows at once.

    Padding is always on the right, whatever the tokenizer's own side: padded on the left, a row can attend to nothing.

    Args:
        texts: S texts.
        tokenizer: of the model.
        max_tokens: most tokens in a batch, padding included; a longer text is a batch by itself.
        max_length: most tokens in a text, special ones included.
        languages: FLORES code of each text, for models that need it.

    Raises:
        ValueError: if max_tokens is not positive; see `encode` for texts, languages and max_length.
    """
    if max_tokens < 1:
        raise ValueError(f"Expected `max_tokens` to be positive, but got {max_tokens}; raise it")
    encodings = encode(texts, tokenizer, max_length=max_length, languages=languages)
    order = sorted(range(len(texts)), key=lambda i: (-len(encodings[i].ids), i))
    made = []
    while order:
        rows = max(1, max_tokens // len(encodings[order[0]].ids))
        index, order = order[:rows], order[rows:]
        ids = [encodings[i].ids for i in index]
        ordinary = pad([[not special for special in encodings[i].special] for i in index], 0).bool()
        made.append(Batch(pad(ids, pad_id(tokenizer)), attention_mask(ids), ordinary, torch.tensor(index)))
    return made


def deduplicate(made: Iterable[Batch]) -> tuple[list[Batch], Tensor]:
    """Drop duplicate token sequences: the same text in two batches could differ by rounding.

    Args:
        made: Batches of S texts.

    Returns:
        The batches, without those that became empty, and (S,) the index of the kept text with the same tokens as each.
    """
    first: dict[tuple[bytes, bytes], int] = {}
    representative: dict[int, int] = {}
    kept = []
    for batch in made:
        rows = []
        parts = (batch.index.tolist(), batch.attention_mask.sum(dim=1).tolist(), batch.input_ids.numpy())
        for row, (i, length, ids, ordinary) in enumerate(zip(*parts, batch.ordinary.numpy(), strict=True)):
            representative[i] = first.setdefault((ids[:length].tobytes(), ordinary[:length].tobytes()), i)
            if representative[i] == i:
                rows.append(row)
        if rows:
            kept.append(batch if len(rows) == len(batch.index) else batch.take(torch.tensor(rows)))
    return kept, torch.tensor([representative[i] for i in range(len(representative))], dtype=torch.long)


def token_fingerprint(made: Iterable[Batch]) -> str:
    """Return a sha256 over the token ids of every text, in the order of the texts, however they are batched.

    Tokenizers change between library versions, and results with different tokens do not have the same input.
    """
    rows = {
        i: ids[attended].tolist()
        for batch in made
        # numpy rows, because iterating over a tensor yields numbers one by one
        for i, ids, attended in zip(
            batch.index.tolist(), batch.input_ids.numpy(), batch.attention_mask.bool().numpy(), strict=True
        )
    }
    digest = hashlib.sha256()
    for i in sorted(rows):
        digest.update(f"{i}:{','.join(map(str, rows[i]))}\n".encode())
    return digest.hexdigest()
