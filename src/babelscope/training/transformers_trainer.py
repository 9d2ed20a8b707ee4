"""Layer scores while training: the twin of `LayerScores` for `transformers.Trainer`."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from pytorch_lightning.utilities.seed import isolate_rng
from torch import nn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from babelscope.data.corpora import Corpus
from babelscope.metrics.sample import LayerMetric
from babelscope.models.families import Family
from babelscope.report.table import drop_later, write_step
from babelscope.states.pool import Pool, mean
from babelscope.training.folder import refuse_second
from babelscope.training.measuring import check_every_n_epochs
from babelscope.training.own_run import describe_own_run
from babelscope.training.probe import Probe
from babelscope.training.published import Published, Rows
from babelscope.training.scalars import layer_scalars
from babelscope.training.wrapped import model_in

_BEGUN: WeakValueDictionary[str, TrainerState] = WeakValueDictionary()
"""Run folders and the training that last began to write there: callbacks of one Trainer share its state alone."""


class TransformersLayerScores(TrainerCallback):
    """Score every layer before training, at every evaluation and the end of every n-th epoch, and when training ends.

    The callback for a `transformers.Trainer`. The first process embeds and scores; arguments are those of
    `LayerScores`, but that "" for `attribute` means that the Trainer's model is the Hugging Face model itself. Two in
    one Trainer need a folder each. Means of layers are in the Trainer's `state.log_history`, too.
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
        attribute: str = "",
    ):
        check_every_n_epochs(every_n_epochs)
        self.every_n_epochs, self.attribute = every_n_epochs, attribute
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
        self.published = Published()
        self.measured = -1
        """The last step that was measured."""
        self.trains = False

    @property
    def rows(self) -> Rows:
        """What this training has measured, read from its folder where it has one."""
        return self.published.read()

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Refuse another callback's folder, before either has written; a resumed run has to have step 0."""
        self.trains, self.measured = True, -1
        self.published.drop_later(state.global_step or -1)
        folder = self.probe.folder
        if folder is not None:
            if _BEGUN.get(str(folder.resolve())) is state:
                refuse_second(self, folder)
            _BEGUN[str(folder.resolve())] = state
        if state.global_step:
            if folder is not None or state.is_world_process_zero:
                self.probe.find_start()
            self._drop_later(state)

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Measure step 0, and write down that the run has begun."""
        if state.global_step == 0:
            self._measure(kwargs["model"], state, epoch=0)
            self._drop_later(state)
        if state.is_world_process_zero:
            describe_own_run(self.probe, self._inside(kwargs["model"]), finished=False)

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Measure after every n-th epoch and the last step; the best model may be loaded before `on_train_end`."""
        self._measure_if_due(kwargs["model"], state)

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Measure where the Trainer evaluates while it trains, in every n-th epoch."""
        if self.trains:
            self._measure_if_due(kwargs["model"], state)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Ignore later evaluations, and write down that the run has finished."""
        self.trains = False
        if state.is_world_process_zero:
            describe_own_run(self.probe, self._inside(kwargs["model"]), finished=True)

    def _inside(self, model: nn.Module) -> nn.Module:
        return model_in(model, self.attribute) if self.attribute else model

    def _measure_if_due(self, model: Any, state: TrainerState) -> None:
        epoch = math.ceil(state.epoch or 0)  # a last epoch that `max_steps` cuts short is the one it began
        if epoch % self.every_n_epochs == 0 or state.global_step >= state.max_steps:
            self._measure(model, state, epoch=epoch)

    def _measure(self, model: Any, state: TrainerState, *, epoch: int) -> None:
        if state.global_step == self.measured or not state.is_world_process_zero:
            return
        self.measured = state.global_step
        with isolate_rng():
            rows = self.probe.measure(self.probe.embed(self._inside(model)), step=state.global_step, epoch=epoch)
        folder, step = self.probe.folder, state.global_step
        self.published.add(step, rows, None if folder is None else write_step(folder, self.probe.name, step, rows))
        state.log_history.append({**layer_scalars(rows), "epoch": epoch, "step": state.global_step})

    def _drop_later(self, state: TrainerState) -> None:
        if self.probe.folder is not None and state.is_world_process_zero:
            drop_later(self.probe.folder, self.probe.name, state.global_step)
