"""Layer scores while training: the twin of `LayerScores` for `transformers.Trainer`."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytorch_lightning.utilities.seed import isolate_rng
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from babelscope.data.corpora import Corpus
from babelscope.metrics.sample import LayerMetric
from babelscope.models.families import Family
from babelscope.states.pool import Pool, mean
from babelscope.training.probe import Probe


class TransformersLayerScores(TrainerCallback):
    """Score every layer before training and after every n-th epoch of a `transformers.Trainer`.

    The first process embeds and scores; arguments are those of `LayerScores`.
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
        every_n_epochs: int = 1,
    ):
        self.probe = Probe.of(
            corpus,
            tokenizer,
            metrics,
            pool=pool,
            folder=folder,
            run=run,
            family=family,
            max_tokens=max_tokens,
            every_n_epochs=every_n_epochs,
        )
        self.rows: list[dict[str, Any]] = []

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Measure step 0; a resumed run has it already."""
        if state.global_step == 0:
            self._measure(kwargs["model"], state, epoch=0)

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Measure after every n-th epoch."""
        epoch = math.ceil(state.epoch or 0)  # a last epoch that `max_steps` cuts short is the one it began
        if self.probe.due(epoch):
            self._measure(kwargs["model"], state, epoch=epoch)

    def _measure(self, model: Any, state: TrainerState, *, epoch: int) -> None:
        if state.is_world_process_zero:
            with isolate_rng():
                self.rows += self.probe.score(self.probe.embed(model), step=state.global_step, epoch=epoch)
