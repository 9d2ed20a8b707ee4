"""Fine-tuning of a Hugging Face model on one language, tested in every other."""

import inspect
import math
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torchmetrics import Accuracy, MeanMetric, Metric

from babelscope.data.objectives import IGNORED
from babelscope.models.families import Family
from babelscope.models.parts import parts_of
from babelscope.models.trainable import named_parts
from babelscope.training.alignment import ContrastiveTerm
from babelscope.training.divergence import Divergence, refuse_non_finite_loss, refuse_non_finite_weights
from babelscope.training.progress import is_last_step
from babelscope.training.span_f1 import SpanF1, marks_spans

Optimizer = Callable[[Iterable[dict[str, Any]]], torch.optim.Optimizer]
Schedule = Callable[..., torch.optim.lr_scheduler.LRScheduler]


class FineTuner(pl.LightningModule):
    """Trains `model` by its own loss; logs `validation_*/LANGUAGE` and `test_*/LANGUAGE`.

    Args:
        model: A Hugging Face model with a head, adapters and freezing already applied.
        source: The training language, which is also the language of validation.
        languages: Languages of the test loaders, in their order.
        optimizer: Makes the optimizer from parameter groups.
        schedule: Makes the schedule from the optimizer and those of `num_warmup_steps` and `num_training_steps` that it
            takes.
        warmup: Share of all steps that warm up.
        labels: Number of classes of texts or words; None for language modelling, which is scored by its loss in nats
            per target.
        tags: Names of these classes, in order, where they are tags of words that may mark spans; see `marks_spans`.
        seed: With epoch and process, of dropout and masks, so that a resumed run is the one it would have been.
        family: Where the parts are, for a model type that is not known.
        alignment: Term to add to the loss, with its weight; it is logged as `alignment_loss`.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        source: str,
        languages: Sequence[str],
        optimizer: Optimizer,
        schedule: Schedule,
        warmup: float = 0.1,
        labels: int | None = None,
        tags: Sequence[str] = (),
        seed: int = 0,
        family: Family | None = None,
        alignment: ContrastiveTerm | None = None,
    ):
        super().__init__()
        self.model = model
        self.source, self.languages = source, tuple(languages)
        self.seed, self.family, self.alignment = seed, family, alignment
        self.make_optimizer, self.make_schedule, self.warmup = optimizer, schedule, warmup
        # checkpoints hold what is trained; frozen weights come back from the model's own checkpoint
        self.strict_loading = False
        # by default it would drop what is not a number, as if such a batch had not been
        self.losses = nn.ModuleDict({name: MeanMetric(nan_strategy="error") for name in self._scored()})
        self.divergence = Divergence()
        self.scores = nn.ModuleDict()
        if labels is not None:
            accuracy = partial(Accuracy, task="multiclass", num_classes=labels, ignore_index=IGNORED)
            self.scores["accuracy"] = nn.ModuleDict({name: accuracy() for name in self._scored()})
        if marks_spans(tags):
            self.scores["f1"] = nn.ModuleDict({name: SpanF1(tags) for name in self._scored()})

    def on_fit_start(self) -> None:
        """Train with dropout except in wholly frozen parts; `fit` would leave all in `from_pretrained`'s eval mode."""
        self.divergence = Divergence()
        self.model.train()
        for _, modules in named_parts(parts_of(self.model, self.family)):
            for module in modules:
                module.train(any(parameter.requires_grad for parameter in module.parameters()))

    def on_train_epoch_start(self) -> None:
        """Draw dropout and masks of this epoch and process as if nothing had been drawn before."""
        torch.manual_seed(zlib.crc32(repr((self.seed, self.current_epoch, self.global_rank)).encode()))

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        """Return the model's own loss, plus the weighted alignment term where there is one; it has to be finite."""
        loss: Tensor = self.model(**batch).loss
        self.log("train_loss", loss, prog_bar=True)
        if self.alignment is not None and self.alignment.weight != 0:
            term = self.alignment(epoch=self.current_epoch, batch=batch_idx, rank=self.global_rank)
            self.log("alignment_loss", term, prog_bar=True)
            loss = loss + self.alignment.weight * term
        self.divergence.add(loss, self.trainer, self._training)
        return loss

    def on_validation_start(self) -> None:
        """Check the losses of training first, so that an error names the step that diverged."""
        self.divergence.check(self.trainer, self._training)

    def on_train_batch_end(self, *args: Any) -> None:
        """Check losses and weights after an epoch or the last step, before callbacks measure and export them."""
        trainer = self.trainer
        if trainer.is_last_batch or is_last_step(trainer):
            self._refuse_divergence()

    def on_train_end(self) -> None:
        """Check them where training ends within an epoch, as by `max_time`."""
        self._refuse_divergence()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse to save weights that have diverged."""
        self._refuse_divergence()

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        """Score one batch of the source language."""
        self._score("validation", self.source, batch)

    def test_step(self, batch: dict[str, Tensor], batch_idx: int, dataloader_idx: int = 0) -> None:
        """Score one batch of one language."""
        self._score("test", self.languages[dataloader_idx], batch)

    def configure_optimizers(self) -> Any:
        """Optimize what is trainable, without weight decay on biases and norms."""
        trainable = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        matrices = [parameter for parameter in trainable if parameter.ndim > 1]
        vectors = [parameter for parameter in trainable if parameter.ndim <= 1]
        optimizer = self.make_optimizer([{"params": matrices}, {"params": vectors, "weight_decay": 0.0}])
        steps = self.trainer.estimated_stepping_batches
        if math.isinf(steps):
            raise ValueError(
                "Expected `trainer` to say after how many steps training ends, which the schedule is made for, but got "
                "max_epochs and max_steps without an end; set one of them. A max_time may end it before."
            )
        total = int(steps)
        counts = {"num_warmup_steps": round(self.warmup * total), "num_training_steps": total}
        schedule = self.make_schedule(optimizer, **_taken(self.make_schedule, counts))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]
        """Leave frozen weights out: a LoRA checkpoint need not carry its backbone."""
        everything = self.named_parameters(remove_duplicate=False)  # tied weights have two names
        frozen = {name for name, parameter in everything if not parameter.requires_grad}
        return {name: value for name, value in super().state_dict(*args, **kwargs).items() if name not in frozen}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse weights of another choice of what is trained."""
        own, stored = set(self.state_dict()), set(checkpoint["state_dict"])
        if own != stored:
            raise ValueError(
                f"Expected the checkpoint to hold the {len(own)} tensors that are trained here, but got {len(stored)}, "
                f"and {min(own ^ stored)} is in one of them only; resume with the same freezing and adapter."
            )

    def monitored(self, *, validated: bool) -> list[str]:
        """Name what a training logs, by which a callback may decide, with or without validation."""
        scores = ["loss", *self.scores]
        term = self.alignment is not None and self.alignment.weight != 0
        names = [f"validation_{score}/{self.source}" for score in scores] if validated else []
        return [*names, "train_loss", *(["alignment_loss"] if term else [])]

    @property
    def _training(self) -> str:
        return f"training in {self.source}"

    def _refuse_divergence(self) -> None:
        self.divergence.check(self.trainer, self._training)
        refuse_non_finite_weights(self.model, self.trainer)

    def _scored(self) -> tuple[str, ...]:
        return ("validation", *self.languages)

    def _score(self, stage: str, language: str, batch: dict[str, Tensor]) -> None:
        output = self.model(**batch)
        key = "validation" if stage == "validation" else language
        targets = int((batch["labels"] != IGNORED).sum())
        refuse_non_finite_loss(output.loss, self.trainer, f"{stage} in {language}")
        losses: Metric = self.losses[key]  # type: ignore[assignment]
        losses.update(output.loss.detach().float(), weight=targets)
        options: dict[str, Any] = {"on_step": False, "on_epoch": True, "add_dataloader_idx": False}
        self.log(f"{stage}_loss/{language}", losses, **options)
        for name, by_key in self.scores.items():
            score: Metric = by_key[key]  # type: ignore[index]
            score.update(output.logits.argmax(dim=-1), batch["labels"])
            self.log(f"{stage}_{name}/{language}", score, **options)


def _taken(function: Callable[..., Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Choose the arguments that a function takes: a constant schedule has no use for numbers of steps."""
    parameters = inspect.signature(function).parameters
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    return {name: value for name, value in arguments.items() if takes_any or name in parameters}
