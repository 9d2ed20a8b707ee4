"""One vector per sentence and layer: the only loop over batches, used offline and by the callbacks."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from babelscope.data.batches import Batch, batches, token_fingerprint
from babelscope.data.corpora import Corpus
from babelscope.metrics.sample import LayerSample
from babelscope.models.parts import Parts
from babelscope.states.pool import Pool
from babelscope.states.record import record

Allocate = Callable[[str, tuple[int, int]], Tensor]
Progress = Callable[[Sequence[Batch]], Iterable[Batch]]


@dataclass(frozen=True)
class Prepared:
    """A corpus as batches of tokens; of n sentences in K languages, point l * n + i is sentence i in language l."""

    corpus: Corpus
    batches: tuple[Batch, ...]
    tokens: str
    """Hash of all token ids: equal text can become different tokens under another tokenizer version."""

    def shard(self, rank: int, world: int) -> "Prepared":
        """Every `world`-th batch: what one of several processes embeds."""
        return replace(self, batches=self.batches[rank::world])


@dataclass(frozen=True)
class Pooled:
    """Pooled states, layers outermost: `layers[name]` is (S, D), S = languages x sentences, language-major."""

    layers: Mapping[str, Tensor]
    names: tuple[str, ...]
    ids: tuple[str, ...]

    def samples(self, start: "Pooled | None" = None) -> Iterator[tuple[str, LayerSample]]:
        """Yield one layer at a time, so that no more than one need be in memory.

        Args:
            start: States of the same sentences at step 0, which the samples carry for metrics of change.

        Raises:
            ValueError: If a state is not finite, or `start` has other languages, sentences, layers or width.
        """
        if start is not None:
            self._refuse_other_points(start)
        count = len(self.ids)
        language = torch.arange(len(self.names)).repeat_interleave(count)
        sentence = torch.arange(count).repeat(len(self.names))
        for layer, x in self.layers.items():
            self._refuse_non_finite(layer, x)
            before = None if start is None else start.layers[layer].float()
            yield layer, LayerSample(x.float(), language, sentence, self.names, before)

    def _refuse_other_points(self, start: "Pooled") -> None:
        for what, mine, theirs in (
            ("languages", self.names, start.names),
            ("sentences", self.ids, start.ids),
            ("layers", tuple(self.layers), tuple(start.layers)),
        ):
            if mine != theirs:
                raise ValueError(
                    f"Expected argument `start` to have the same {what} as these states, but they differ "
                    f"({len(theirs)} at the start, {len(mine)} now); embed the same corpus with a model of that shape"
                )

    def _refuse_non_finite(self, layer: str, x: Tensor) -> None:
        bad = (~x.isfinite().all(dim=1)).nonzero()
        if len(bad):
            language, sentence = divmod(int(bad[0]), len(self.ids))
            raise ValueError(
                f"Expected finite states, but layer {layer} is not finite for sentence {self.ids[sentence]!r} in "
                f"{self.names[language]} ({len(bad)} of {len(x)} sentences); "
                "load the model with model.dtype=float32 or bfloat16, or check that its training did not diverge."
            )


def prepare(corpus: Corpus, tokenizer: Any, *, max_tokens: int = 4096, max_length: int = 512) -> Prepared:
    """Tokenize a corpus once, as right-padded batches of at most `max_tokens` positions, longest first."""
    texts = [text for language in corpus.languages for text in corpus.texts[language]]
    made = batches(texts, tokenizer, max_tokens=max_tokens, max_length=max_length)
    return Prepared(corpus, tuple(made), token_fingerprint(made))


def in_memory(layer: str, shape: tuple[int, int]) -> Tensor:
    """Zeros: the points that another process embeds stay 0, so that a sum over processes is the whole."""
    return torch.zeros(shape)


def embed(
    parts: Parts, prepared: Prepared, pool: Pool, *, allocate: Allocate = in_memory, progress: Progress = iter
) -> Pooled:
    """Run the model over all batches, pooling each layer inside its hook.

    Args:
        parts: Where the layers of the loaded model are.
        prepared: The tokenized corpus, or one process's share of it; points of other shares stay 0.
        pool: From (B, T, D) and two masks to (B, D) float32.
        allocate: Makes the (S, D) tensor of a layer; zeros in memory unless the caller keeps it on disk.
        progress: Wraps the sequence of batches, for a progress bar.
    """
    languages, ids = tuple(prepared.corpus.languages), prepared.corpus.ids
    layers = {layer: allocate(layer, (len(languages) * len(ids), parts.width)) for layer in parts.layers}
    with _evaluating(parts.model):
        for batch in progress(prepared.batches):
            for layer, vectors in _embed_batch(parts, batch, pool).items():
                layers[layer][batch.index] = vectors.to("cpu", layers[layer].dtype)
    return Pooled(layers, languages, ids)


def _embed_batch(parts: Parts, batch: Batch, pool: Pool) -> dict[str, Tensor]:
    device = next(parts.stack.parameters()).device
    attended, ordinary = batch.attention_mask.to(device), batch.ordinary.to(device)
    pooled: dict[str, Tensor] = {}

    def keep(layer: str, hidden: Tensor) -> None:
        pooled[layer] = pool(hidden, attended.bool(), ordinary)

    with record(parts, keep):
        parts.stack(input_ids=batch.input_ids.to(device), attention_mask=attended, use_cache=False)
    return pooled


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients; every module's own mode is restored, for some blocks may be frozen in eval."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, training in modes:
            module.training = training
