"""Scores of the token table while training: the callback beside `LayerScores`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from peft.tuners.tuners_utils import BaseTunerLayer
from pytorch_lightning.utilities.seed import isolate_rng
from torch import Tensor, nn

from babelscope.data.corpora import Corpus
from babelscope.models.families import Family
from babelscope.models.parts import parts_of
from babelscope.training.measuring import Measuring, check_every_n_epochs
from babelscope.training.wrapped import model_in

Scorer = Callable[[Tensor], list[dict[str, Any]]]
"""Rows of a table (V, D), without run, step and epoch."""


class TokenScores(Measuring):
    """Score the token table before training and at every validation epoch.

    Args:
        scorer: Makes what scores a table, from corpus and tokenizer: `babelscope.analyses.tokens.scorer.TokenScorer`.
        corpus: The scorer's.
        tokenizer: The model's tokenizer.
        folder: Run folder; rows are written to its `results/`. None keeps them in `rows` only.
        run: Identifier written to every row.
        family: Where the table is, for a model type that is not known.
        every_n_epochs: Measure after the epochs that are multiples of n: at each validation in them, or, where nothing
            is validated, at their end.
        attribute: Attribute of the LightningModule that holds the Hugging Face model; it may have dots, as "model.hf".

    Raises:
        ValueError: if `every_n_epochs` is no whole number from 1, or the table has an adapter; one that is trained
            whole, as by PEFT's `modules_to_save`, has none.
    """

    series = ("tokens",)

    def __init__(
        self,
        scorer: Callable[[Corpus, Any], Scorer],
        corpus: Corpus,
        tokenizer: Any,
        *,
        folder: str | Path | None = None,
        run: str = "",
        family: Family | None = None,
        every_n_epochs: int = 1,
        attribute: str = "model",
    ):
        check_every_n_epochs(every_n_epochs)
        self.score = scorer(corpus, tokenizer)
        self.folder, self.run, self.family = None if folder is None else Path(folder), run, family
        self.every_n_epochs, self.attribute = every_n_epochs, attribute

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Refuse a table with an adapter, before anything is written."""
        super().on_fit_start(trainer, pl_module)
        refuse_adapted(parts_of(model_in(pl_module, self.attribute), self.family).tokens)

    def measure(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *, epoch: int) -> None:
        """Score the table, in the first process."""
        if trainer.is_global_zero:
            with isolate_rng(), torch.inference_mode(False):
                weight = parts_of(model_in(pl_module, self.attribute), self.family).tokens.get_parameter("weight")
                scored = self.score(weight.detach().cpu())
            step = trainer.global_step
            rows = [{"run": self.run, "step": step, "epoch": epoch, **row} for row in scored]
            scalars = {f"{row['metric']}/0": row["value"] for row in rows if not row["language"]}
            self.publish(trainer, *self.series, rows, step=step, epoch=epoch, scalars=scalars)
        trainer.strategy.barrier("token_scores")


def refuse_adapted(tokens: nn.Module) -> None:
    """Refuse a token table with an adapter, for its weight is not what the model reads.

    Raises:
        ValueError: if it has one.
    """
    adapted = next((module for module in tokens.modules() if isinstance(module, BaseTunerLayer)), None)
    if adapted is not None:
        raise ValueError(
            f"Expected adapters that leave the token table as it is, but it has one of {type(adapted).__module__}; "
            "leave TokenScores out, or train the table whole by `modules_to_save`."
        )
