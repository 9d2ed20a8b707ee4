"""What is measured in every layer while a model trains, and where the rows go."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from numbers import Integral
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from torch import nn

from babelscope.data.corpora import Corpus
from babelscope.metrics.drift import needs_start
from babelscope.metrics.sample import LayerMetric, LayerSample
from babelscope.metrics.score import score
from babelscope.models.families import Family
from babelscope.models.parts import parts_of
from babelscope.report.table import write_step
from babelscope.states.embed import Pooled, Prepared, embed, prepare
from babelscope.states.pool import Pool, mean
from babelscope.states.reading import STATES, Reading
from babelscope.training.description import describe
from babelscope.training.start import StartStates
from babelscope.training.unchanged import Rows, Unchanged


@dataclass(frozen=True)
class Probe:
    """A tokenized parallel corpus, the metrics, and the run folder that receives their rows.

    All callbacks that score a model measure by it, so Lightning and `transformers.Trainer` give the same numbers as
    `babelscope probe`.
    """

    prepared: Prepared
    metrics: Mapping[str, LayerMetric]
    pool: Pool = mean
    folder: Path | None = None
    family: Family | None = None
    run: str = ""
    every_n_epochs: int = 1
    name: str = "layers"
    """Of the files that are written."""
    reading: Reading = STATES
    """What a layer holds."""
    wrote: dict[str, str] = field(init=False, default_factory=dict)
    """Of every column, the name of the metric that wrote it; empty before something is measured."""
    start: StartStates = field(init=False)
    unchanged: Unchanged = field(init=False, default_factory=Unchanged)

    def __post_init__(self) -> None:
        if not isinstance(self.every_n_epochs, Integral) or self.every_n_epochs < 1:
            raise ValueError(
                f"Expected argument `every_n_epochs` to be a whole number from 1, but got {self.every_n_epochs}; "
                "leave the callback out to measure nothing."
            )
        if not isinstance(self.metrics, Mapping):
            raise ValueError(
                f"Expected argument `metrics` to be functions by name, but got {type(self.metrics).__name__}; "
                'write {"ilo": ilo}.'
            )
        file = None if self.folder is None else self.folder / "states" / f"{self.name}.safetensors"
        object.__setattr__(self, "start", StartStates(file, self.prepared.tokens, describe(self.pool)))

    @classmethod
    def of(
        cls,
        corpus: Corpus,
        tokenizer: Any,
        metrics: Mapping[str, LayerMetric],
        *,
        folder: str | Path | None,
        max_tokens: int = 4096,
        **options: Any,
    ) -> "Probe":
        """Tokenize the corpus and keep the rest; options are the fields above.

        Raises:
            ValueError: if an argument is of another kind.
        """
        if not isinstance(corpus, Corpus) or not callable(tokenizer):
            name, value = ("tokenizer", tokenizer) if isinstance(corpus, Corpus) else ("corpus", corpus)
            wanted = "a Corpus" if name == "corpus" else "the model's tokenizer"
            raise ValueError(
                f"Expected argument `{name}` to be {wanted}, but got {type(value).__name__}; the order is corpus, "
                "tokenizer, metrics."
            )
        prepared = prepare(corpus, tokenizer, max_tokens=max_tokens)
        return cls(prepared, metrics, folder=None if folder is None else Path(folder), **options)

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

    def due(self, epoch: int) -> bool:
        """Whether to measure after so many epochs."""
        return epoch % self.every_n_epochs == 0

    @property
    def compares(self) -> bool:
        """Whether a metric compares with step 0."""
        return any(needs_start(metric) for metric in self.metrics.values())

    def find_start(self) -> None:
        """Refuse to go on without the states of step 0, where a metric compares with them.

        Without a run folder the first process alone has them.

        Raises:
            ValueError: if they are not there, or were pooled otherwise or from other tokens.
        """
        if self.compares:
            self.start.read()

    def measure(self, pooled: Pooled, *, step: int, epoch: int) -> list[dict[str, Any]]:
        """Score every layer that has changed; states of step 0 are kept first, where a metric compares with them."""
        start = None
        if self.compares:
            if step == 0:
                self.start.keep(pooled)
            start = self.start.read()
        if step == 0:
            self.unchanged.forget()
        rows = [row for layer, sample in pooled.samples(start) for row in self._rows(layer, sample, pooled)]
        return [{"run": self.run, "step": step, "epoch": epoch, **row} for row in rows]

    def _rows(self, layer: str, sample: LayerSample, pooled: Pooled) -> Rows:
        found = self.unchanged.find(layer, pooled.layers[layer])
        if found is None:
            found = self.unchanged.keep(layer, list(score([(layer, sample)], self.metrics, wrote=self.wrote)))
        return found

    def score(self, pooled: Pooled, *, step: int, epoch: int) -> list[dict[str, Any]]:
        """Score every layer; rows of one step are one file, so a step measured again replaces it."""
        rows = self.measure(pooled, step=step, epoch=epoch)
        self.write(rows, step=step)
        return rows

    def write(self, rows: Iterable[Mapping[str, Any]], *, step: int) -> None:
        """Write the rows of one step as one file, where there is a run folder."""
        if self.folder is not None:
            write_step(self.folder, self.name, step, rows)
