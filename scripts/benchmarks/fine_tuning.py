"""`LayerScores` as a share of an epoch of fine-tuning an encoder with random weights, in any Lightning Trainer."""

import time
import warnings
from dataclasses import dataclass, replace
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset
from transformers import XLMRobertaConfig, XLMRobertaForSequenceClassification

from babelscope.data.corpora import Corpus
from babelscope.metrics import ilo, knn_lid, separability
from babelscope.training import LayerScores
from benchmarks.data import make_tokenizer, read_corpus
from benchmarks.result import Check, Line, Settings

CLASSES = 7


@dataclass(frozen=True)
class Size:
    """XLM-R base with its token table of 250,002, on 31 x 100 sentences per measurement."""

    width: int = 768
    depth: int = 12
    table: int = 250_002
    languages: int = 31
    sentences: int = 100
    examples: int = 20_480
    """Of one epoch."""
    length: int = 48
    """Tokens of an example, about as many as a sentence of SIB-200 has."""
    batch: int = 32
    vocabulary: int = 8000
    folds: int = 5


class Timed(LayerScores):
    """Seconds of each measurement."""

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self.seconds: list[float] = []

    def measure(self, *given: Any, **options: Any) -> None:
        """Measure, and take the time."""
        started = _now()
        super().measure(*given, **options)
        self.seconds.append(_now() - started)


class Tuner(pl.LightningModule):
    """A classifier and nothing else."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        torch.manual_seed(0)
        config = XLMRobertaConfig(
            vocab_size=size.table,
            hidden_size=size.width,
            num_hidden_layers=size.depth,
            num_attention_heads=max(1, size.width // 64),
            intermediate_size=4 * size.width,
            max_position_embeddings=514,
            type_vocab_size=1,
        )
        config.num_labels = CLASSES
        self.model = XLMRobertaForSequenceClassification(config)

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        ids, labels = batch
        loss: Tensor = self.model(input_ids=ids, attention_mask=torch.ones_like(ids), labels=labels).loss
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-5)


def line(settings: Settings, device: str, size: Size) -> Line:
    """One epoch with measurements at step 0 and at its end, and one without."""
    corpus = read_corpus(settings.corpus, size.languages, size.sentences)
    tokenizer = make_tokenizer(corpus, size.vocabulary)
    train(replace(size, examples=2 * size.batch), device, [])  # what the first one in a process pays for
    without, plain = train(size, device, [])
    scores = Timed(corpus, tokenizer, metrics(size, corpus))
    _, scored = train(size, device, [scores])
    noise = 0.0
    if device == "cuda":  # it adds in any order, so that two trainings without measurements differ, too
        noise = 1e-6 + 4 * largest(plain, train(size, device, [])[1])
    return Line(
        f"LayerScores, {len(corpus.languages)} x {len(corpus)} sentences ({corpus.name}), at the end of an epoch of "
        f"{size.examples:,} examples, encoder of {size.depth} layers x {size.width}, bf16 autocast, {device}",
        "the same epoch without it",
        [without + scores.seconds[-1]],
        [without],
        target=0.1,
        share=True,
        checks=[
            Check("largest change of a trained weight, to that between trainings", largest(plain, scored), "<=", noise)
        ],
        extras={
            "seconds of a measurement": scores.seconds[-1],
            "seconds of the one at step 0": scores.seconds[0],
        },
    )


def largest(one: list[Tensor], other: list[Tensor]) -> float:
    """The largest difference between the weights of two trainings."""
    return max(float((a - b).abs().max()) for a, b in zip(one, other, strict=True))


def metrics(size: Size, corpus: Corpus) -> dict[str, Any]:
    """What `babelscope train` measures by default."""
    few = min(3, len(corpus.languages) - 1)
    return {
        "ilo": lambda sample: ilo(sample, threshold=few),
        "separability": lambda sample: separability(sample, folds=size.folds),
        "knn_lid": knn_lid,
    }


def train(size: Size, device: str, callbacks: list[pl.Callback]) -> tuple[float, list[Tensor]]:
    """Seconds of one epoch, and the weights after it."""
    g = torch.Generator().manual_seed(0)
    ids = torch.randint(5, min(size.table, size.vocabulary), (size.examples, size.length), generator=g)
    labels = torch.randint(CLASSES, (size.examples,), generator=g)
    loader = DataLoader(TensorDataset(ids, labels), batch_size=size.batch)
    module = Tuner(size)
    with warnings.catch_warnings():  # Lightning's advice
        warnings.simplefilter("ignore")
        trainer = pl.Trainer(
            accelerator="gpu" if device == "cuda" else device,
            devices=1,
            max_epochs=1,
            precision="bf16-mixed",
            callbacks=callbacks,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        started = _now()
        trainer.fit(module, loader)
    return _now() - started, [parameter.detach().cpu() for parameter in module.parameters()]


def _now() -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()
