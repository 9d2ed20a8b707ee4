"""Stop the loss of alignment as it happens: parts whose layer falls go back to their last good weights and freeze."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import StochasticWeightAveraging, WeightAveraging
from pytorch_lightning.utilities.seed import isolate_rng
from torch import Tensor, nn

from babelscope.data.corpora import Corpus
from babelscope.metrics.sample import LayerMetric, function_of
from babelscope.models.families import Family
from babelscope.models.parts import parts_of
from babelscope.report.table import cut_in_thirds
from babelscope.states.pool import Pool, mean
from babelscope.states.reading import states_of
from babelscope.training.checkpoint import hold_signals
from babelscope.training.folder import WritesRows
from babelscope.training.measuring import first_decides
from babelscope.training.probe import Probe
from babelscope.training.progress import callbacks_of, is_last_epoch, validates
from babelscope.training.restore import RestorableParts
from babelscope.training.scalars import layer_scalars
from babelscope.training.sharded import refuse_sharded
from babelscope.training.wrapped import model_in


class AlignmentGuard(WritesRows):
    """Watch a score of every layer against step 0, and freeze what lets it fall, at its last good weights.

    At each check, the lowest watched layer that has fallen by more than the tolerance is found. The part that makes it
    (the inputs for layer 0, block i - 1 for layer i) and every part below go back to the weights of the last check and
    freeze; then all is measured again, until no layer that can still be frozen is beyond the tolerance. The lowest goes
    first because a layer depends on all parts below it: curing the lowest cause may cure the layers above, and freezing
    more than is needed costs accuracy in the source language. As every check ends with all these layers within the
    tolerance, the weights after the last check are the last good ones of each of them.

    Frozen parts stay bit-identical: their gradients are dropped, their optimizer state is forgotten, and their dropout
    is off. That holds for what begins to train later, too, as in gradual unfreezing; parameters that are added to the
    model while it trains are not seen. Put the guard before callbacks that measure or save, so that they see the
    repaired model. A fit that goes on with the same model keeps step 0; one of another model has a step 0 of its own.

    Args:
        corpus: Parallel sentences to watch: other ones than are trained on, or than the result will be judged by.
        tokenizer: The model's tokenizer.
        metric: Function of one layer; higher is better aligned.
        key: Which of its results; one per language counts by its mean.
        tolerance: How far a layer may fall, as a share of its score at step 0; infinity only watches. A share, because
            languages that start with little alignment have as much of it to lose.
        watch: Half-open range of layer numbers, as [0, 5] or [1, null]; negative ones count from the end. None is the
            early third, where fine-tuning on one language disrupts (Wilie et al. 2025); later layers have to change.
        freeze_inputs: Whether all before block 0 may be frozen; if not, layer 0 is not watched either.
        every_n_steps: Check after so many optimizer steps, too; the guard always checks at validations, or, where there
            are none, at the end of epochs, and when training ends.
        pool: From token states to one vector per sentence.
        folder: Run folder; rows are written to its `results/`. None keeps them in `rows` only.
        run: Identifier written to every row.
        family: Where the layers are, for a model type that is not known.
        max_tokens: Positions per batch.
        attribute: Attribute of the LightningModule that holds the Hugging Face model; it may have dots, as "model.hf".

    Raises:
        ValueError: if an option is out of range, a run without a baseline is resumed, or the weights are averaged.
    """

    def __init__(
        self,
        corpus: Corpus,
        tokenizer: Any,
        *,
        metric: LayerMetric,
        key: str,
        tolerance: float = 0.15,
        watch: Sequence[int | None] | None = None,
        freeze_inputs: bool = True,
        every_n_steps: int = 0,
        pool: Pool = mean,
        folder: str | Path | None = None,
        run: str = "",
        family: Family | None = None,
        max_tokens: int = 4096,
        attribute: str = "model",
    ):
        if not tolerance >= 0:
            raise ValueError(
                f"Expected argument `tolerance` to be at least 0, but got {tolerance}; write what share of a score may "
                "be lost, or .inf to watch only."
            )
        if every_n_steps < 0:
            raise ValueError(
                f"Expected argument `every_n_steps` to be at least 0, but got {every_n_steps}; 0 checks at validations "
                "alone."
            )
        name = getattr(function_of(metric), "__name__", key)
        self.probe = Probe(
            corpus,
            tokenizer,
            {name: metric},
            pool=pool,
            folder=folder,
            run=run,
            family=family,
            max_tokens=max_tokens,
            name="guard",
        )
        self.key, self.tolerance, self.watch, self.freeze_inputs = key, tolerance, watch, freeze_inputs
        self.every_n_steps, self.attribute = every_n_steps, attribute
        self.folder, self.series, self.starts = self.probe.folder, (self.probe.name,), (self.probe.start,)
        self.baseline: dict[str, float] = {}
        """Score of every watched layer at step 0."""
        self.frozen = -1
        """Number of the highest layer that is frozen; -1 while none is."""
        self.step = -1
        """The last check."""
        self.weights: dict[str, Tensor] = {}
        """What trained in the parts that are not frozen, after the last check."""
        self.model: nn.Module | None = None
        """Whose step 0 the baseline is."""

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Refuse weight averaging, which would change frozen weights, and weights that are not whole."""
        super().on_fit_start(trainer, pl_module)
        refuse_sharded(trainer, self)
        for callback in (*callbacks_of(trainer, WeightAveraging), *callbacks_of(trainer, StochasticWeightAveraging)):
            raise ValueError(
                "Expected no weight averaging together with the alignment guard, but `callbacks` has "
                f"{type(callback).__name__}, which would keep changing frozen weights; remove one of them."
            )

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Measure step 0, or go on from where a resumed run stood."""
        hold_signals(trainer)
        parts = parts_of(model_in(pl_module, self.attribute), self.probe.family)
        goes_on = parts.model is self.model or trainer.ckpt_path
        self.parts, self.watched = RestorableParts(parts), self._watched(len(parts.blocks) + 1)
        self.probe.reading = states_of([str(layer) for layer in self.watched])
        self.model = parts.model
        if trainer.global_step == 0 or not goes_on:
            self.frozen, self.step, self.baseline, self.weights = -1, -1, {}, {}
            self._check(trainer, pl_module, epoch=trainer.current_epoch)
        elif missing := [layer for layer in self.watched if str(layer) not in self.baseline]:
            raise ValueError(
                f"Expected the guard's scores at step 0, but this run goes on at step {trainer.global_step} without "
                f"that of layer {missing[0]}; start a new run folder, with the guard from the beginning."
            )
        else:
            first_decides(trainer, self.probe.find_start)
        self.drop_later(trainer)

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *args: Any) -> None:
        """Turn the dropout of frozen parts off again, which the end of a validation turns on."""
        self.parts.disable_dropout(self._held)

    def on_after_backward(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Hide the gradients of frozen parts from clipping and optimizer, and keep what is about to train first."""
        self.parts.copy_new(self._open(self.watched.stop), self.weights)
        self.parts.drop_gradients(self._held)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *args: Any) -> None:
        """Check after every n-th step, where that is asked for."""
        if self.every_n_steps and trainer.global_step % self.every_n_steps == 0:
            self._check(trainer, pl_module, epoch=trainer.current_epoch + 1)

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Check at a validation of the training."""
        if not trainer.sanity_checking and trainer.state.fn == "fit":
            self._check(trainer, pl_module, epoch=trainer.current_epoch + 1)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Check at the end of an epoch of a training without validation, and of the last one, before it is measured."""
        if not validates(trainer) or is_last_epoch(trainer):
            self._check(trainer, pl_module, epoch=trainer.current_epoch + 1)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Check the final weights, so that what is tested and saved is within the tolerance."""
        self._check(trainer, pl_module, epoch=trainer.current_epoch)

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run needs to go on as if it had not stopped."""
        kept = {"baseline": self.baseline, "frozen": self.frozen, "step": self.step, "weights": self.weights}
        return {**kept, "measured": self._measured}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.baseline, self.weights = dict(state_dict["baseline"]), dict(state_dict["weights"])
        self.frozen, self.step = state_dict["frozen"], state_dict["step"]
        if state_dict["measured"] != self._measured:
            raise ValueError(
                f"Expected the guard to go on with the score and sentences that it began with, "
                f"{state_dict['measured']}, but got {self._measured}; restore its settings, or start a new run folder."
            )

    @property
    def _measured(self) -> dict[str, str]:
        """The score and the sentences of the baseline, with which a resumed run has to go on."""
        (metric,) = self.probe.metrics.values()
        function, given = (metric.func, metric.keywords) if isinstance(metric, partial) else (metric, {})
        plain = {name: value for name, value in given.items() if isinstance(value, str | int | float | None)}
        name = getattr(function, "__name__", type(function).__name__)
        return {"metric": f"{name}({plain})", "key": self.key, "tokens": self.probe.prepared.tokens}

    @property
    def _held(self) -> range:
        """The frozen parts."""
        return range(0 if self.freeze_inputs else 1, self.frozen + 1)

    def _open(self, stop: int) -> range:
        """The parts below number `stop` that may yet be frozen."""
        return range(max(self._held.start, self.frozen + 1), stop)

    def _watched(self, layers: int) -> range:
        watch = (0, cut_in_thirds(layers)["early"].stop) if self.watch is None else tuple(self.watch)
        if len(watch) != 2:
            raise ValueError(f"Expected argument `watch` to be two layer numbers, but got {list(watch)}; write [0, 5].")
        first, stop = (
            default if bound is None else bound + layers if bound < 0 else bound
            for bound, default in zip(watch, (0, layers), strict=True)
        )
        first = max(first, 0 if self.freeze_inputs else 1)
        if not 0 <= first < stop <= layers:
            raise ValueError(
                f"Expected argument `watch` to be a non-empty range within the {layers} layers from 0, but got "
                f"{list(watch)}; the end is exclusive, so the widest range is [0, {layers}]."
            )
        return range(first, stop)

    def _check(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *, epoch: int) -> None:
        step, model = trainer.global_step, model_in(pl_module, self.attribute)
        if step == self.step:  # two validations may lie between two steps
            return
        keys = {"run": self.probe.run, "step": step, "epoch": epoch, "language": "", "other": ""}
        with isolate_rng(), torch.no_grad(), torch.inference_mode(False):
            scores = self._scores(trainer, model)
            if not self.baseline:
                self.baseline = scores
            rows = [{**keys, "layer": n, "metric": "guard_fall", "value": self.baseline[n] - scores[n]} for n in scores]
            while (layer := self._fallen(scores)) is not None:
                self.parts.put_back(self._open(layer + 1), self.weights, trainer.optimizers)
                self.frozen = layer
                rows.append({**keys, "layer": str(layer), "metric": "guard_freeze", "value": self.step})
                scores = self._scores(trainer, model)
            self.parts.copy(self._open(self.watched.stop), self.weights)
            self.step = step
        if not self.parts.leaves_to_train(self._held):
            trainer.should_stop = True  # nothing would change any more
        if trainer.is_global_zero:
            self.publish(trainer, self.probe.name, rows, step=step, epoch=epoch, scalars=layer_scalars(rows))
        trainer.strategy.barrier("alignment_guard")

    def _fallen(self, scores: Mapping[str, float]) -> int | None:
        """Find the lowest watched layer that is beyond the tolerance and not yet frozen."""
        falls = {n: self.baseline[str(n)] - scores[str(n)] for n in self.watched}
        fallen = {n for n, fall in falls.items() if fall > self.tolerance * abs(self.baseline[str(n)])}
        return min((n for n in fallen if n > self.frozen), default=None)

    def _scores(self, trainer: pl.Trainer, model: nn.Module) -> dict[str, float]:
        """Measure the watched layers; all processes get the scores of the first one, so that they decide alike."""
        pooled = self.probe.embed_together(trainer, model)
        scores = {}
        if trainer.is_global_zero:
            # 0 is where a metric that compares takes its start from
            rows = self.probe.measure(pooled, step=trainer.global_step if self.baseline else 0, epoch=0)
            whole = [row for row in rows if not row["language"] and not row["other"]]
            scores = {row["layer"]: row["value"] for row in whole if row["metric"] == self.key}
            if not scores:
                raise ValueError(
                    f"Expected argument `key` to be a result of the guard's metric per layer or language, but got "
                    f"{self.key!r}; it has {', '.join(dict.fromkeys(row['metric'] for row in whole))}."
                )
        return trainer.strategy.broadcast(scores)
