"""Loaders of a task: one language to train and validate on, every language to test on."""

from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl
from torch import Generator
from torch.utils.data import DataLoader, DistributedSampler

from babelscope.data.corpora import Corpus
from babelscope.data.tasks import Task


class TaskData(pl.LightningDataModule):
    """Batches of one task.

    Training is sharded over processes. Validation and test are not: every process sees every sentence once, so that no
    sentence is counted twice; the Trainer has to leave them so, with `use_distributed_sampler=False`.

    Args:
        task: Encodes and collates.
        train: Sentences in the source language.
        validation: Sentences in the source language.
        test: Sentences in every language of the test.
        source: Training language.
        languages: Languages of the test loaders, in this order.
        batch_size: Sentences per process and step.
        seed: Of the training order.
    """

    def __init__(
        self,
        task: Task,
        *,
        train: Corpus,
        validation: Corpus,
        test: Corpus,
        source: str,
        languages: Sequence[str],
        batch_size: int,
        seed: int = 0,
    ):
        super().__init__()
        self.task, self.batch_size, self.seed = task, batch_size, seed
        self.train_examples = task.encode(train, source)
        self.validation_examples = task.encode(validation, source)
        self.test_examples = [task.encode(test, language) for language in languages]

    def train_dataloader(self) -> DataLoader[Any]:
        """Shuffle by seed and epoch; Lightning sets the sampler's epoch, so a resumed run sees the same order."""
        trainer = self.trainer
        sampler: DistributedSampler[Any] = DistributedSampler(
            self.train_examples,  # type: ignore[arg-type]
            num_replicas=trainer.world_size if trainer else 1,
            rank=trainer.global_rank if trainer else 0,
            seed=self.seed,
        )
        return DataLoader(
            self.train_examples,  # type: ignore[arg-type]
            batch_size=self.batch_size,
            sampler=sampler,
            collate_fn=self.task.collate,
            generator=Generator(),  # its own, or every epoch would move torch's random state
        )

    def val_dataloader(self) -> DataLoader[Any]:
        """Sentences of the source language."""
        return self._whole(self.validation_examples)

    def test_dataloader(self) -> list[DataLoader[Any]]:
        """One loader per language."""
        return [self._whole(examples) for examples in self.test_examples]

    def _whole(self, examples: list[dict[str, Any]]) -> DataLoader[Any]:
        return DataLoader(examples, batch_size=4 * self.batch_size, collate_fn=self.task.collate_same)  # type: ignore[arg-type]
