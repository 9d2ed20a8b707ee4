"""Checkpoints that any tool can load: Hugging Face folders written while training."""

import os
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from peft import PeftModel

from babelscope.files import whole_folder
from babelscope.models.adapters import save_adapted
from babelscope.training.measuring import check_every_n_epochs
from babelscope.training.progress import is_trial
from babelscope.training.sharded import refuse_sharded
from babelscope.training.wrapped import model_in


def save_folder(model: Any, tokenizer: Any, folder: Path) -> None:
    """Save a model (or its adapter) and tokenizer under a temporary name, then rename, so that a folder is whole."""
    with whole_folder(folder) as temporary:
        if isinstance(model, PeftModel):
            save_adapted(model, temporary)
        else:
            model.save_pretrained(temporary)
        tokenizer.save_pretrained(temporary)


class ExportModel(pl.Callback):
    """Write the fine-tuned model to `FOLDER/model` at the end, and to `FOLDER/model/step=N` on the way.

    `model.checkpoint=FOLDER/model model.revision=step=N` loads what stood there after step N. In a trial by
    `fast_dev_run`, nothing is written.

    Args:
        tokenizer: Saved beside the model.
        folder: Run folder.
        every_n_epochs: Keep the model of every n-th epoch, too; 0 keeps only the last.
        attribute: Attribute of the LightningModule that holds the Hugging Face model; it may have dots, as "model.hf".
    """

    def __init__(self, tokenizer: Any, *, folder: str | Path, every_n_epochs: int = 0, attribute: str = "model"):
        check_every_n_epochs(every_n_epochs, least=0, remedy="0 keeps the last model alone")
        self.tokenizer, self.folder = tokenizer, Path(folder) / "model"
        self.every_n_epochs, self.attribute = every_n_epochs, attribute

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Refuse a wrong attribute, or weights that are not whole, before hours of training, not after."""
        refuse_sharded(trainer, self)
        model_in(pl_module, self.attribute)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Keep the model of every n-th epoch."""
        due = self.every_n_epochs > 0 and (trainer.current_epoch + 1) % self.every_n_epochs == 0
        if due and trainer.is_global_zero and not is_trial(trainer):
            save_folder(
                model_in(pl_module, self.attribute), self.tokenizer, self.folder / f"step={trainer.global_step}"
            )

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Keep the last model."""
        if trainer.is_global_zero and not is_trial(trainer):
            _save_beside(model_in(pl_module, self.attribute), self.tokenizer, self.folder)


def _save_beside(model: Any, tokenizer: Any, folder: Path) -> None:
    # the steps lie inside the folder, so the final files are moved in one by one, last those that make it a checkpoint
    final = folder / ".final"
    save_folder(model, tokenizer, final)
    for file in sorted(final.iterdir(), key=lambda file: file.name in ("adapter_config.json", "config.json")):
        os.replace(file, folder / file.name)
    final.rmdir()
