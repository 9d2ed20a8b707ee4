"""One vector per sentence and layer, and the only loop over batches, used offline and by the callbacks."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from babelscope.data.batches import Batch, batches, deduplicate, token_fingerprint
from babelscope.data.corpora import Corpus
from babelscope.data.encoding import naming_sentences
from babelscope.metrics.sample import LayerSample
from babelscope.models.parts import Parts
from babelscope.models.readable import refuse_unreadable
from babelscope.states.back_off import BackOff
from babelscope.states.finite import refuse_non_finite
from babelscope.states.heap import keep_freed_memory
from babelscope.states.linear import fast_linear
from babelscope.states.pool import Pool, pooled
from babelscope.states.progress import Progress
from babelscope.states.reading import STATES, Reading
from babelscope.states.transfer import Return, send

PIECE_BYTES = 8192
"""Positions per piece of a batch on a CPU, times the bytes of a number: 2,048 positions in float32, 4,096 in bfloat16.

This keeps the activations of a piece in the processor's cache, however large the batch is."""
HOST = torch.device("cpu")
Reduce = Callable[[str, Tensor, Batch], Tensor]
"""Takes the name of a layer, its values (B, T, D) and their batch (masks on the same device), and returns what to keep,
such as a tensor (B, D)."""
Take = Callable[[str, Tensor, Batch], None]
"""Receives the name of a layer, what `Reduce` kept of it (in host memory), and the batch that it came from."""
Put = Callable[[str, Tensor, Tensor], None]
"""Receives the name of a layer, indices of points (B,), and their vectors (B, D) in host memory."""


@dataclass(frozen=True)
class Prepared:
    """A corpus as batches of tokens. With n sentences in K languages, point l * n + i is sentence i in language l."""

    corpus: Corpus
    batches: tuple[Batch, ...]
    """Points with identical tokens occur here once, so that all of them get bit-identical vectors."""
    tokens: str
    """Hash of all token ids: equal text can become different tokens under another tokenizer version."""
    representative: Tensor
    """(S,) For each point, the index of the first point with identical tokens; only that one is embedded."""

    def shard(self, rank: int, world: int) -> "Prepared":
        """Every `world`-th batch: what one of several processes embeds."""
        return replace(self, batches=self.batches[rank::world])

    def points(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Expand embedded points `index` (B,) to all P points with the same tokens.

        Returns:
            (P,) the points, and (P,) the position in `index` of the embedded point that stands for each.
        """
        order, first, counts = self._copies
        copies = counts[index]
        row = torch.arange(len(index)).repeat_interleave(copies)
        place = torch.arange(len(row)) - (copies.cumsum(0) - copies)[row]
        return order[first[index][row] + place], row

    @cached_property
    def _copies(self) -> tuple[Tensor, Tensor, Tensor]:
        """All points (S,) grouped by the point that stands for them; the start (S,) and the size (S,) of each group."""
        counts = torch.bincount(self.representative, minlength=len(self.representative))
        return self.representative.argsort(stable=True), counts.cumsum(0) - counts, counts


@dataclass(frozen=True)
class Pooled:
    """Pooled states, layers outermost: `layers[name]` is (S, D), S = languages x sentences, language-major."""

    layers: Mapping[str, Tensor]
    languages: tuple[str, ...]
    ids: tuple[str, ...]
    device: torch.device = HOST
    """Device on which metrics should run; `layers` themselves are in host memory or on disk."""

    def samples(self, start: "Pooled | None" = None) -> Iterator[tuple[str, LayerSample]]:
        """Yield one layer at a time, so that no more than one need be in memory.

        Args:
            start: States of the same sentences at step 0, which the samples carry for metrics of change.

        Raises:
            ValueError: if a state is not finite, or `start` has other languages, sentences, layers or width.
        """
        if start is not None:
            self._refuse_other_points(start)
        count = len(self.ids)
        language = torch.arange(len(self.languages)).repeat_interleave(count).to(self.device)
        sentence = torch.arange(count).repeat(len(self.languages)).to(self.device)
        for layer in self.layers:
            yield layer, self._sample(layer, language, sentence, start)

    def _sample(self, layer: str, language: Tensor, sentence: Tensor, start: "Pooled | None") -> LayerSample:
        x = self.layers[layer]
        self._refuse_non_finite(layer, x)
        before = None if start is None else start.layers[layer].float().to(self.device)
        return LayerSample(x.float().to(self.device), language, sentence, self.languages, before)

    def _refuse_other_points(self, start: "Pooled") -> None:
        for what, mine, theirs in (
            ("languages", self.languages, start.languages),
            ("sentences", self.ids, start.ids),
            ("layers", tuple(self.layers), tuple(start.layers)),
        ):
            if mine != theirs:
                raise ValueError(
                    f"Expected argument `start` to have the same {what} as these states, but they differ "
                    f"({len(theirs)} at the start, {len(mine)} now); embed the same corpus with a model of that shape"
                )

    def refuse_non_finite(self) -> None:
        """Raise a ValueError that names layer, language and sentence, if a state is not finite."""
        for layer, x in self.layers.items():
            self._refuse_non_finite(layer, x)

    def _refuse_non_finite(self, layer: str, x: Tensor) -> None:
        # in blocks, because isfinite makes a copy of its argument
        finite = torch.cat([rows.isfinite().all(dim=1) for rows in x.split(4096)])
        refuse_non_finite(finite, torch.arange(len(x)), layer=layer, languages=self.languages, ids=self.ids)


def prepare(corpus: Corpus, tokenizer: Any, *, max_tokens: int = 4096, max_length: int = 512) -> Prepared:
    """Tokenize a corpus once, as right-padded batches of at most `max_tokens` positions, longest first."""
    texts = [text for language in corpus.languages for text in corpus.texts[language]]
    languages = [language for language in corpus.languages for _ in corpus.ids]
    with naming_sentences(corpus.languages, corpus.ids):
        made = batches(texts, tokenizer, max_tokens=max_tokens, max_length=max_length, languages=languages)
    once, representative = deduplicate(made)
    return Prepared(corpus, tuple(once), token_fingerprint(made), representative)


def embed(
    parts: Parts, prepared: Prepared, pool: Pool, *, reading: Reading = STATES, progress: Progress[Batch] = iter
) -> Pooled:
    """Run the model over all batches, pooling each layer inside its hook.

    Args:
        parts: Where the layers of the loaded model are.
        prepared: The tokenized corpus, or one process's share of it. Points of other shares stay 0, so the sum over all
            processes is the whole result.
        pool: From (B, T, D) and two masks to (B, D) float32.
        reading: What a layer holds: hidden states, or the activations of FFN neurons.
        progress: Wraps the sequence of batches, for a progress bar.
    """
    languages, ids = tuple(prepared.corpus.languages), prepared.corpus.ids
    points = len(languages) * len(ids)
    layers = {layer: torch.zeros(points, width) for layer, width in reading.widths(parts).items()}

    def put(layer: str, index: Tensor, vectors: Tensor) -> None:
        layers[layer][index] = vectors

    embed_into(put, parts, prepared, pool, reading=reading, progress=progress)
    return Pooled(layers, languages, ids, measuring_device(parts))


def measuring_device(parts: Parts) -> torch.device:
    """Return the device on which to measure the states of a model: the CUDA GPU of its first weights, else the host.

    Metrics sum in float64, which other accelerators do not have.
    """
    return parts.device if parts.device.type == "cuda" else HOST


def embed_into(
    put: Put,
    parts: Parts,
    prepared: Prepared,
    pool: Pool,
    *,
    reading: Reading = STATES,
    progress: Progress[Batch] = iter,
) -> None:
    """Embed as `embed` does, but pass the vectors of each batch to `put` and keep none."""

    def reduce(layer: str, hidden: Tensor, batch: Batch) -> Tensor:
        return pooled(pool, hidden, batch.attention_mask.bool(), batch.ordinary)

    def take(layer: str, vectors: Tensor, batch: Batch) -> None:
        points, row = prepared.points(batch.index)
        put(layer, points, vectors[row])

    run_batches(parts, prepared.batches, reading, reduce, take, progress=progress)


def run_batches(
    parts: Parts,
    batches: Sequence[Batch],
    reading: Reading,
    reduce: Reduce,
    take: Take,
    *,
    progress: Progress[Batch] = iter,
) -> None:
    """Run the model over batches, without gradients, and hand out every layer of each: the only such loop.

    A batch may be run in pieces (see `BackOff`). On a GPU, the results of one piece are copied back and taken while the
    next one runs.

    Args:
        parts: Where the layers of the loaded model are.
        batches: Of tokens.
        reading: What a layer holds.
        reduce: Called inside the hooks, layer by layer, even for a piece that turns out not to fit into memory; so it
            must not keep anything.
        take: Called layer by layer for each piece that went through the whole model, exactly once.
        progress: Wraps the sequence of batches, for a progress bar.

    Raises:
        ValueError: if there is no memory for a single text, a token has no row in the token table, or a text is longer
            than the model can read.
    """
    refuse_unreadable(
        parts,
        highest=max((int(batch.input_ids.max()) for batch in batches), default=0),
        longest=max((batch.width for batch in batches), default=0),
    )
    device, room = parts.device, None
    if device.type == "cpu":
        room = PIECE_BYTES // parts.dtype.itemsize
        keep_freed_memory()
    pieces = BackOff(room)

    def forward(piece: Batch) -> dict[str, Return]:
        there = replace(
            piece,
            input_ids=send(piece.input_ids, device),
            attention_mask=send(piece.attention_mask, device),
            ordinary=send(piece.ordinary, device),
        )
        reduced: dict[str, Tensor] = {}

        def keep(layer: str, hidden: Tensor) -> None:
            reduced[layer] = reduce(layer, hidden, _beside(hidden, there))

        with reading.record(parts, keep):
            parts.stack(input_ids=there.input_ids, attention_mask=there.attention_mask, use_cache=False)
        return {layer: Return(x) for layer, x in reduced.items()}

    def finish(piece: Batch, returns: dict[str, Return]) -> None:
        for layer, x in returns.items():
            take(layer, x.wait(), piece)

    last: list[tuple[Batch, dict[str, Return]]] = []
    with evaluating(parts.model), fast_linear(parts.stack):
        for batch in progress(batches):
            for made in pieces.run(batch, forward):
                last.append(made)
                if len(last) > 1:
                    finish(*last.pop(0))
        for made in last:
            finish(*made)
    pieces.report()


def _beside(hidden: Tensor, batch: Batch) -> Batch:
    """Return the batch with its masks on the device of `hidden`, because a model may be spread over devices."""
    if batch.ordinary.device == hidden.device:
        return batch
    mask, ordinary = batch.attention_mask.to(hidden.device), batch.ordinary.to(hidden.device)
    return replace(batch, attention_mask=mask, ordinary=ordinary)


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Run in evaluation mode without gradients, then restore each module's own mode: frozen blocks may be in eval."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, training in modes:
            module.training = training
