"""What is measured in every layer while a model trains, by all callbacks alike."""

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from babelscope.data.corpora import Corpus
from babelscope.metrics.drift import needs_start
from babelscope.metrics.sample import LayerMetric
from babelscope.metrics.score import score
from babelscope.models.families import Family
from babelscope.models.parts import parts_of
from babelscope.states.embed import Pooled, embed, prepare
from babelscope.states.pool import Pool, mean
from babelscope.states.reading import STATES, Reading
from babelscope.training.description import describe
from babelscope.training.start import StartTensors

Rows = list[dict[str, Any]]


class Probe:
    """A tokenized parallel corpus, the metrics that are measured on it, and the states of step 0.

    All callbacks that score a model measure by it, so Lightning and `transformers.Trainer` give the same numbers as
    `babelscope probe`.

    Args:
        corpus: Parallel sentences.
        tokenizer: The model's tokenizer.
        metrics: Functions of one layer, by name.
        pool: From token states to one vector per sentence.
        folder: Run folder; the states of step 0 are kept in its `states/`. None keeps them in memory.
        run: Identifier in every row.
        family: Where the layers are, for a model type that is not known.
        max_tokens: Positions per batch.
        name: Of the files that are written.
        reading: What a layer holds.

    Raises:
        ValueError: if an argument is of another kind.
    """

    def __init__(
        self,
        corpus: Corpus,
        tokenizer: Any,
        metrics: Mapping[str, LayerMetric],
        *,
        pool: Pool = mean,
        folder: str | Path | None = None,
        run: str = "",
        family: Family | None = None,
        max_tokens: int = 4096,
        name: str = "layers",
        reading: Reading = STATES,
    ):
        if not isinstance(corpus, Corpus) or not callable(tokenizer):
            argument, value = ("tokenizer", tokenizer) if isinstance(corpus, Corpus) else ("corpus", corpus)
            wanted = "a Corpus" if argument == "corpus" else "the model's tokenizer"
            raise ValueError(
                f"Expected argument `{argument}` to be {wanted}, but got {type(value).__name__}; the order is corpus, "
                "tokenizer, metrics."
            )
        if not isinstance(metrics, Mapping):
            raise ValueError(
                f"Expected argument `metrics` to be functions by name, but got {type(metrics).__name__}; "
                'write {"ilo": ilo}.'
            )
        self.prepared = prepare(corpus, tokenizer, max_tokens=max_tokens)
        self.metrics, self.pool, self.run, self.family = metrics, pool, run, family
        self.folder = None if folder is None else Path(folder)
        self.name, self.reading = name, reading
        self.wrote: dict[str, str] = {}
        """Of every column, the name of the metric that wrote it; empty before something is measured."""
        self.start = StartTensors(
            None if self.folder is None else self.folder / "states" / f"{name}.safetensors",
            {"tokens": self.prepared.tokens, "pool": describe(pool)},
            what="states",
            remedy="leave out the metrics that compare with them, such as drift",
        )
        self._cache = ScoreCache()

    def embed(self, model: nn.Module, *, rank: int = 0, world: int = 1) -> Pooled:
        """Embed this process's share of the corpus; points of other shares stay 0."""
        share = self.prepared.shard(rank, world)
        return embed(parts_of(model, self.family), share, self.pool, reading=self.reading)

    def embed_together(self, trainer: pl.Trainer, model: nn.Module) -> Pooled:
        """Let every process of a Trainer embed its share, and give the whole to all of them."""
        pooled = self.embed(model, rank=trainer.global_rank, world=trainer.world_size)
        if trainer.world_size > 1:
            # points of other shares are 0, so the sum is the whole, exactly; in place, so that none is held twice
            for x in pooled.layers.values():
                x.copy_(trainer.strategy.reduce(x.to(trainer.strategy.root_device), reduce_op="sum"))
        return pooled

    def find_start(self) -> None:
        """Check that the states of step 0 are there, where a metric compares with them.

        Without a run folder only the first process has them.

        Raises:
            ValueError: if they are not there, or were pooled otherwise or from other tokens.
        """
        if self._compares:
            self.start.read()

    def measure(self, pooled: Pooled, *, step: int, epoch: int) -> Rows:
        """Score every layer that has changed; states of step 0 are kept first, where a metric compares with them."""
        start = None
        if self._compares:
            if step == 0:
                self.start.keep(pooled.layers, names=pooled.languages, ids=pooled.ids)
            layers, about = self.start.read()
            start = Pooled(layers, tuple(about["names"]), tuple(about["ids"]))
        if step == 0:
            self._cache.clear()

        def compute(changed: Collection[str]) -> Iterable[dict[str, Any]]:
            layers = ((layer, sample) for layer, sample in pooled.samples(start) if layer in changed)
            return score(layers, self.metrics, wrote=self.wrote)

        rows = self._cache.rows(pooled.layers, compute)
        return [{"run": self.run, "step": step, "epoch": epoch, **row} for row in rows]

    @property
    def _compares(self) -> bool:
        """Whether a metric compares with step 0."""
        return any(needs_start(metric) for metric in self.metrics.values())


class ScoreCache:
    """What each layer scored when it was last measured, for as long as its states stay the same bits.

    Metrics are functions of their sample alone, so the same states have the same scores: those of layers below the
    first block that trains are computed once.
    """

    def __init__(self) -> None:
        self._digests: dict[str, bytes] = {}
        self._rows: dict[str, Rows] = {}

    def rows(
        self, states: Mapping[str, Tensor], compute: Callable[[Collection[str]], Iterable[dict[str, Any]]]
    ) -> Rows:
        """Return the rows of layers with these states (S, D); `compute` is asked for those of layers that changed."""
        digests = {
            layer: hashlib.sha256(x.contiguous().view(torch.uint8).numpy().data).digest() for layer, x in states.items()
        }
        changed = {layer: digest for layer, digest in digests.items() if self._digests.get(layer) != digest}
        fresh: dict[str, Rows] = {layer: [] for layer in changed}
        for row in compute(changed):
            fresh[row["layer"]].append(row)
        self._rows |= fresh
        self._digests |= changed
        return [row for layer in states for row in self._rows[layer]]

    def clear(self) -> None:
        """Forget all rows, as when what samples are compared with has changed."""
        self._digests.clear()
