"""What is measured in every layer while a model trains, and where the rows go."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from babelscope.data.corpora import Corpus
from babelscope.metrics.sample import LayerMetric
from babelscope.metrics.score import score
from babelscope.models.families import Family
from babelscope.models.parts import parts_of
from babelscope.report.table import write
from babelscope.states.embed import Pooled, Prepared, embed, prepare
from babelscope.states.pool import Pool, mean


@dataclass(frozen=True)
class Probe:
    """A tokenized parallel corpus, the metrics, and the run folder that receives their rows.

    Both callbacks measure by it, so Lightning and `transformers.Trainer` give the same numbers as `babelscope probe`.
    """

    prepared: Prepared
    metrics: Mapping[str, LayerMetric]
    pool: Pool = mean
    folder: Path | None = None
    family: Family | None = None
    run: str = ""
    every_n_epochs: int = 1

    def __post_init__(self) -> None:
        if self.every_n_epochs < 1:
            raise ValueError(
                f"Expected argument `every_n_epochs` to be at least 1, but got {self.every_n_epochs}; "
                "leave the callback out to measure nothing."
            )

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
        """Tokenize the corpus and keep the rest; options are the fields above."""
        prepared = prepare(corpus, tokenizer, max_tokens=max_tokens)
        return cls(prepared, metrics, folder=None if folder is None else Path(folder), **options)

    def embed(self, model: nn.Module, *, rank: int = 0, world: int = 1) -> Pooled:
        """Embed this process's share of the corpus; points of other shares stay 0."""
        return embed(parts_of(model, self.family), self.prepared.shard(rank, world), self.pool)

    def due(self, epoch: int) -> bool:
        """Whether to measure after so many epochs."""
        return epoch % self.every_n_epochs == 0

    def score(self, pooled: Pooled, *, step: int, epoch: int) -> list[dict[str, Any]]:
        """Score every layer; rows of one step are one file, so measuring a step again after a resume replaces it."""
        rows = list(score(pooled.samples(), self.metrics, run=self.run, step=step, epoch=epoch))
        if self.folder is not None:
            write(self.folder, f"layers-{step:08d}", rows)
        return rows
