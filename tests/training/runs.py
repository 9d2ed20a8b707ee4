"""Small trainings: a tiny model, a few sentences of the lab, and the callbacks under test."""

import copy
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LRScheduler
from transformers import get_linear_schedule_with_warmup

from babelscope.data.lab import lab
from babelscope.data.tasks import Task, classification, label_names, lm
from babelscope.metrics import LayerSample, ilo
from babelscope.metrics.drift import drift
from babelscope.metrics.sample import LayerMetric
from babelscope.models.families import FAMILIES
from babelscope.models.load import load
from babelscope.training.data import TaskData
from babelscope.training.guard import AlignmentGuard
from babelscope.training.layer_scores import LayerScores
from babelscope.training.module import FineTuner
from tests.models.tiny import save_checkpoint, tiny_tokenizer

LANGUAGES = ("eng_Latn", "deu_Latn", "rus_Cyrl")
PROBED = lab(LANGUAGES, "dev").take(range(6))
TRAIN = lab(("eng_Latn",), "train").take(range(16))
TEST = lab(LANGUAGES, "test").take(range(7))


def size(sample: LayerSample) -> dict[str, Tensor]:
    """Mean norm per language: a number that any change of the states changes."""
    norms = sample.x.norm(dim=1)
    return {"size": torch.stack([norms[sample.language == i].mean() for i in range(sample.n_languages)])}


METRICS: dict[str, LayerMetric] = {"ilo": partial(ilo, k=3, threshold=2), "size": size}


def layer_scores(metrics: Mapping[str, LayerMetric] = METRICS, **options: Any) -> LayerScores:
    return LayerScores(PROBED, tiny_tokenizer(), metrics, **{"max_tokens": 512, **options})


def make_task(name: str, model_type: str) -> Task:
    tokenizer = tiny_tokenizer()
    return (
        classification(tokenizer, label_names(TRAIN))
        if name == "classification"
        else lm(tokenizer, FAMILIES[model_type].objective)
    )


def make_data(name: str = "classification", model_type: str = "xlm-roberta", *, batch_size: int = 4) -> TaskData:
    return TaskData(
        make_task(name, model_type),
        train=TRAIN,
        validation=TEST,
        test=TEST,
        source="eng_Latn",
        languages=LANGUAGES,
        batch_size=batch_size,
    )


def constant(optimizer: torch.optim.Optimizer, **counts: int) -> LRScheduler:
    return torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)


def make_module(model: nn.Module, name: str = "classification", **options: Any) -> FineTuner:
    given: dict[str, Any] = {
        "optimizer": partial(AdamW, lr=1e-2, weight_decay=0.1),
        "schedule": get_linear_schedule_with_warmup,
        "labels": len(label_names(TRAIN)) if name == "classification" else None,
    }
    return FineTuner(model, source="eng_Latn", languages=LANGUAGES, **{**given, **options})


def make_trainer(folder: Path, *callbacks: pl.Callback, **options: Any) -> pl.Trainer:
    given: dict[str, Any] = {
        "accelerator": "cpu",
        "devices": 1,
        "max_epochs": 2,
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "use_distributed_sampler": False,
        "num_sanity_val_steps": 0,
        "log_every_n_steps": 1,
    }
    return pl.Trainer(default_root_dir=str(folder), callbacks=list(callbacks), **{**given, **options})


def weights_of(model: nn.Module) -> dict[str, Tensor]:
    return copy.deepcopy({name: value.detach() for name, value in model.named_parameters()})


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def fit(folder: Path, *callbacks: pl.Callback, seed: int | None = None, **options: Any) -> dict[str, Tensor]:
    """Train a tiny classifier in a folder, all generators seeded before it where a seed is given; give its weights."""
    loaded = load(save_checkpoint(folder / "base", "xlm-roberta", "classification"), head="classification")
    if seed is not None:
        pl.seed_everything(seed, verbose=False)
    make_trainer(folder, *callbacks, **options).fit(make_module(loaded.model), make_data())
    return weights_of(loaded.model)


def points(rows: list[dict[str, Any]]) -> list[tuple[int, int]]:
    """Every step and epoch that rows are of."""
    return sorted({(row["step"], row["epoch"]) for row in rows})


class StopError(Exception):
    """A process that is killed."""


class Kill(pl.Callback):
    """Stop in the middle of an epoch."""

    def __init__(self, epoch: int):
        self.epoch = epoch

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *args: Any) -> None:
        if trainer.current_epoch == self.epoch:
            raise StopError


WATCHED = lab(LANGUAGES, "test").take(range(10, 18))
"""What a guard watches: neither trained on nor probed."""


def guard(**options: Any) -> AlignmentGuard:
    given: dict[str, Any] = {"metric": partial(drift, k=3), "key": "drift_cka", "tolerance": 0.05, "every_n_steps": 1}
    given["watch"] = (0, None)
    return AlignmentGuard(WATCHED, tiny_tokenizer(), **{**given, **options})


def decisions(rows: list[dict[str, Any]]) -> list[tuple[int, str, int]]:
    """Step, highest layer then frozen, and step that it went back to."""
    return [(row["step"], row["layer"], int(row["value"])) for row in rows if row["metric"] == "guard_freeze"]
