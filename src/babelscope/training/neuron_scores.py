"""Scores of FFN neurons while training: the callback beside `LayerScores`."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.seed import isolate_rng
from torch import Tensor

from babelscope.data.corpora import Corpus
from babelscope.models.families import Family
from babelscope.states.embed import Pooled
from babelscope.states.neurons import Place, check_place
from babelscope.states.pool import Pool, mean
from babelscope.states.reading import READINGS
from babelscope.training.description import describe
from babelscope.training.measuring import Measuring, check_every_n_epochs
from babelscope.training.probe import Probe
from babelscope.training.scalars import layer_scalars
from babelscope.training.start import StartTensors
from babelscope.training.wrapped import model_in

Masks = Mapping[str, Tensor]
"""The key neurons of each language, by its code: (L, F) bool."""
Scorer = Callable[[Pooled, Masks | None], tuple[list[dict[str, Any]], Masks]]
"""From activations, one vector (F,) per sentence and block, and the key neurons of step 0 (None at step 0) to rows
without run, step and epoch, and the key neurons now. It is tried on silent neurons first, to refuse its settings."""


class NeuronScores(Measuring):
    """Score the FFN neurons on a parallel corpus before training and at every validation epoch.

    Weights, modes and random state are as if the callback were not there. One measurement holds the activations of all
    neurons in memory: languages x sentences x blocks x F numbers of 4 bytes.

    Args:
        scorer: What scores them: `babelscope.analyses.neurons.study.score_activations`.
        corpus: Parallel sentences that are embedded at every measurement.
        tokenizer: The model's tokenizer.
        reading: Where neurons are read: "down_input" or "gate".
        pool: From token activations to one vector per sentence.
        folder: Run folder; rows are written to its `results/`, key neurons of step 0 to its `states/`. None keeps both
            in memory only.
        run: Identifier written to every row.
        family: Where the neurons are, for a model type that is not known.
        max_tokens: Positions per batch.
        every_n_epochs: Measure after the epochs that are multiples of n: at each validation in them, or, where nothing
            is validated, at their end.
        attribute: Attribute of the LightningModule that holds the Hugging Face model; it may have dots, as "model.hf".
    """

    def __init__(
        self,
        scorer: Scorer,
        corpus: Corpus,
        tokenizer: Any,
        *,
        reading: Place = "down_input",
        pool: Pool = mean,
        folder: str | Path | None = None,
        run: str = "",
        family: Family | None = None,
        max_tokens: int = 4096,
        every_n_epochs: int = 1,
        attribute: str = "model",
    ):
        check_place(reading, "reading")
        check_every_n_epochs(every_n_epochs)
        self.scorer, self.every_n_epochs, self.attribute = scorer, every_n_epochs, attribute
        self.probe = Probe(
            corpus,
            tokenizer,
            {},
            pool=pool,
            folder=folder,
            run=run,
            family=family,
            max_tokens=max_tokens,
            name=f"neurons-{reading}",
            reading=READINGS[reading],
        )
        # in every process and before any trains: later only the first one scores, and others would wait for it
        points = len(corpus.languages) * len(corpus.ids)
        scorer(Pooled({"1": torch.zeros(points, 1)}, tuple(corpus.languages), corpus.ids), None)
        origin = {
            "tokens": self.probe.prepared.tokens,
            "languages": " ".join(corpus.languages),
            "reading": reading,
            "pool": describe(pool),
            "scorer": describe(scorer),
        }
        self.folder, self.series = self.probe.folder, (self.probe.name,)
        file = None if self.folder is None else self.folder / "states" / f"key-neurons-{reading}.safetensors"
        self.start = StartTensors(file, origin, what="key neurons", remedy="leave out callbacks=neuron_scores")
        self.starts = (self.start,)

    def find_start(self) -> None:
        """Check that the key neurons of step 0 are there."""
        self.start.read()

    def score(self, pooled: Pooled, *, step: int, epoch: int) -> list[dict[str, Any]]:
        """Score activations; the key neurons of step 0 are kept, and those of later steps compared with them."""
        scored, masks = self.scorer(pooled, None if step == 0 else self.start.read()[0])
        if step == 0:
            self.start.keep(masks)
        return [{"run": self.probe.run, "step": step, "epoch": epoch, **row} for row in scored]

    def measure(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *, epoch: int) -> None:
        """Score the neurons, in the share of this process."""
        with isolate_rng(), torch.inference_mode(False):
            pooled = self.probe.embed_together(trainer, model_in(pl_module, self.attribute))
            pooled.refuse_non_finite()  # in every process: one that ends alone would leave the others waiting
            if trainer.is_global_zero:
                step = trainer.global_step
                rows = self.score(pooled, step=step, epoch=epoch)
                whole = {
                    f"{row['metric']}/model": row["value"]
                    for row in rows
                    if not (row["layer"] or row["language"] or row["other"])
                }
                scalars = {**layer_scalars(rows), **whole}
                self.publish(trainer, self.probe.name, rows, step=step, epoch=epoch, scalars=scalars)
        trainer.strategy.barrier("neuron_scores")
