"""Checkpoints that any tool can load: Hugging Face folders written while training."""

import os
import shutil
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytorch_lightning as pl
from peft import PeftModel

from babelscope.models.adapters import save_adapted


def save_folder(model: Any, tokenizer: Any, folder: Path) -> None:
    """Save a model (or its adapter) and tokenizer under a temporary name, then rename, so that a folder is whole."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(mkdtemp(prefix=".writing-", dir=folder.parent))
    try:
        if isinstance(model, PeftModel):
            save_adapted(model, temporary)
        else:
            model.save_pretrained(temporary)
        tokenizer.save_pretrained(temporary)
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


class ExportModel(pl.Callback):
    """Write the fine-tuned model to `FOLDER/model` at the end, and to `FOLDER/model/step=N` on the way.

    `model.checkpoint=FOLDER/model model.revision=step=N` loads what stood there after step N.

    Args:
        tokenizer: Saved beside the model.
        folder: Run folder.
        every_n_epochs: Keep the model of every n-th epoch, too; 0 keeps only the last.
    """

    def __init__(self, tokenizer: Any, *, folder: str | Path, every_n_epochs: int = 0):
        self.tokenizer, self.folder, self.every_n_epochs = tokenizer, Path(folder) / "model", every_n_epochs

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Keep the model of this epoch."""
        if trainer.sanity_checking or trainer.state.fn != "fit" or not self.every_n_epochs:
            return
        if (trainer.current_epoch + 1) % self.every_n_epochs == 0 and trainer.is_global_zero:
            save_folder(pl_module.model, self.tokenizer, self.folder / f"step={trainer.global_step}")

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Keep the last model."""
        if trainer.is_global_zero:
            _save_beside(pl_module.model, self.tokenizer, self.folder)


def _save_beside(model: Any, tokenizer: Any, folder: Path) -> None:
    # the steps lie inside the folder, so the final files are moved in one by one, the configuration last
    final = folder / ".final"
    save_folder(model, tokenizer, final)
    for file in sorted(final.iterdir(), key=lambda file: file.name == "config.json"):
        os.replace(file, folder / file.name)
    final.rmdir()
