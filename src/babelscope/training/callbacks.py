"""Layer scores while training: the callback for a Lightning Trainer."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.seed import isolate_rng

from babelscope.data.corpora import Corpus
from babelscope.metrics.sample import LayerMetric
from babelscope.models.families import Family
from babelscope.states.pool import Pool, mean
from babelscope.training.measuring import Measuring
from babelscope.training.probe import Probe
from babelscope.training.scalars import layer_scalars
from babelscope.training.wrapped import model_in


class LayerScores(Measuring):
    """Score every layer on a parallel corpus before training and at every validation epoch.

    Works in any Lightning Trainer around any Hugging Face model of a known family. The corpus is not the task's
    validation set: it is parallel, fixed, and should hold no sentence that is trained on. Weights, modes and random
    state are as if the callback were not there. Beside Lightning's `WeightAveraging`, it measures the averaged weights,
    which are validated, where it comes before that callback, and the raw ones where it comes after it.

    Args:
        corpus: Parallel sentences that are embedded at every measurement.
        tokenizer: The model's tokenizer.
        metrics: Functions of one layer, by name.
        pool: From token states to one vector per sentence.
        folder: Run folder; rows are written to its `results/`. None keeps them in `rows` only. Two of these callbacks
            in one Trainer need one each.
        run: Identifier written to every row.
        family: Where the layers are, for a model type that is not known.
        max_tokens: Positions per batch.
        every_n_epochs: Measure after the epochs that are multiples of n: at each validation in them, or, where nothing
            is validated, at their end.
        attribute: Attribute of the LightningModule that holds the Hugging Face model; it may have dots, as "model.hf".
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
        attribute: str = "model",
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
        self.every_n_epochs, self.attribute = every_n_epochs, attribute
        self.folder, self.series = self.probe.folder, (self.probe.name,)
        self.rows: list[dict[str, Any]] = []
        """Rows of every measurement of this process's life, on rank 0."""

    def find_start(self) -> None:
        """Refuse to go on without the states of step 0, where a metric compares with them."""
        self.probe.find_start()

    def measure(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *, epoch: int) -> None:
        """Score every layer, in the share of this process."""
        # validation runs in inference mode, in which a metric could not use autograd as it can offline
        with isolate_rng(), torch.inference_mode(False):
            model = model_in(pl_module, self.attribute)
            pooled = self.probe.embed_together(trainer, model)
            pooled.refuse_non_finite()  # in every process: one that ends alone would leave the others waiting
            if trainer.is_global_zero:
                rows = self.probe.score(pooled, step=trainer.global_step, epoch=epoch)
                self.rows += rows
                for logger in trainer.loggers:
                    logger.log_metrics({**layer_scalars(rows), "epoch": epoch}, step=trainer.global_step)
        trainer.strategy.barrier("layer_scores")
