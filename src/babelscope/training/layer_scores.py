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
from babelscope.training.measuring import Measuring, check_every_n_epochs
from babelscope.training.monitors import refuse_rare_scores, refuse_unmeasured_monitors
from babelscope.training.own_run import describe_own_run
from babelscope.training.probe import Probe
from babelscope.training.progress import callbacks_of, is_trial
from babelscope.training.scalars import layer_scalars
from babelscope.training.wrapped import model_in


class LayerScores(Measuring):
    """Score every layer on a parallel corpus before training, at every validation epoch and when training ends.

    Works in any Lightning Trainer around any Hugging Face model of a known family. The corpus is not the task's
    validation set: it is parallel, fixed, and should hold no sentence that is trained on. Weights, modes and random
    state are as if the callback were not there. Beside Lightning's `WeightAveraging`, it measures the averaged weights,
    which are validated, where it comes before that callback, and the raw ones where it comes after it. Beside
    `StochasticWeightAveraging`, the last rows are of the weights that it leaves.

    Means of layers are logged as `METRIC/layer_NN`, so `ModelCheckpoint` and `EarlyStopping` can monitor them; those of
    a second of these callbacks in one Trainer as `2/METRIC/layer_NN`.

    Args:
        corpus: Parallel sentences that are embedded at every measurement.
        tokenizer: The model's tokenizer.
        metrics: Functions of one layer, by name.
        pool: From token states to one vector per sentence.
        folder: Run folder; rows are written to its `results/`, and `babelscope report` makes a page of them. None
            keeps them in `rows` only. Two of these callbacks in one Trainer need one each.
        run: Identifier written to every row.
        family: Where the layers are, for a model type that is not known.
        max_tokens: Positions per batch.
        every_n_epochs: Measure after the epochs that are multiples of n: at each validation in them, or, where nothing
            is validated, at their end. The end of training is measured in any case.
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
        check_every_n_epochs(every_n_epochs)
        self.probe = Probe(
            corpus,
            tokenizer,
            metrics,
            pool=pool,
            folder=folder,
            run=run,
            family=family,
            max_tokens=max_tokens,
        )
        self.every_n_epochs, self.attribute = every_n_epochs, attribute
        self.folder, self.series, self.starts = self.probe.folder, (self.probe.name,), (self.probe.start,)
        self.scalars: dict[str, float] = {}
        """Of the last measurement, as they are logged."""

    def find_start(self) -> None:
        """Check that the states of step 0 are there, where a metric compares with them."""
        self.probe.find_start()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Measure step 0, and describe the run for pages where nobody else does."""
        super().on_train_start(trainer, pl_module)
        self._describe(trainer, pl_module, finished=False)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Measure the final weights, and write down that the run has finished."""
        super().on_train_end(trainer, pl_module)
        self._describe(trainer, pl_module, finished=True)

    def _describe(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *, finished: bool) -> None:
        if trainer.is_global_zero and not is_trial(trainer):
            describe_own_run(self.probe, model_in(pl_module, self.attribute), finished=finished)

    def measure(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *, epoch: int) -> None:
        """Score every layer, in the share of this process."""
        # validation runs in inference mode, in which a metric could not use autograd as it can offline
        with isolate_rng(), torch.inference_mode(False):
            model = model_in(pl_module, self.attribute)
            pooled = self.probe.embed_together(trainer, model)
            pooled.refuse_non_finite()  # in every process: one that ends alone would leave the others waiting
            self.scalars = {}
            if trainer.is_global_zero:
                step = trainer.global_step
                rows = self.probe.measure(pooled, step=step, epoch=epoch)
                self.scalars = {f"{self._prefix(trainer)}{name}": value for name, value in layer_scalars(rows).items()}
                self.publish(trainer, self.probe.name, rows, step=step, epoch=epoch, scalars=self.scalars)
        self.scalars = trainer.strategy.broadcast(self.scalars)  # all processes have to decide alike
        every = callbacks_of(trainer, LayerScores)
        if trainer.global_step == 0 and all(one.scalars for one in every):  # the last of these callbacks has measured
            measured = {name: one.every_n_epochs for one in every for name in one.scalars}
            refuse_unmeasured_monitors(trainer, pl_module, measured)
            refuse_rare_scores(trainer, measured)

    def _prefix(self, trainer: pl.Trainer) -> str:
        """Tell the scalars of a further callback from those of the first."""
        every = callbacks_of(trainer, LayerScores)
        place = every.index(self) if self in every else 0  # another callback may hold this one
        return f"{place + 1}/" if place else ""

    def log_measured(self, pl_module: pl.LightningModule) -> None:
        """Let `ModelCheckpoint` and `EarlyStopping` monitor the layers; loggers have the scores already."""
        pl_module.log_dict(self.scalars, logger=False, on_step=False, on_epoch=True, batch_size=1)
