"""Loaders of a task: one language to train and validate on, every language to test on."""

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Any

import pytorch_lightning as pl
from torch import Generator
from torch.utils.data import DataLoader, DistributedSampler

from babelscope.data.tasks import Task, TaskCorpus
from babelscope.models.parts import Parts
from babelscope.models.readable import refuse_unreadable


class Order(DistributedSampler[Any]):
    """One process's share of an epoch, drawn by seed and epoch; it goes on where a stopped run left it."""

    given = 0
    """Examples of this epoch that were given so far."""
    start = (0, 0)
    """An epoch, and how many of its examples were given before."""

    def __iter__(self) -> Iterator[Any]:
        epoch, given = self.start
        self.given = given if epoch == self.epoch else 0
        for index in islice(super().__iter__(), self.given, None):
            self.given += 1
            yield index


class TrainLoader(DataLoader[Any]):
    """Batches that a run goes on with from a checkpoint within an epoch, by Lightning's protocol for loaders.

    The order is fixed by seed and epoch, so where it was left is all there is to remember.
    """

    sampler: Order

    def state_dict(self) -> dict[str, int]:
        """Return the epoch, and how many of its examples were given; no worker draws any in advance."""
        return {"epoch": self.sampler.epoch, "examples": self.sampler.given}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Begin this epoch where it was left, and every other at its beginning."""
        self.sampler.start = (state["epoch"], state["examples"])
        self.sampler.given = state["examples"]


class TaskData(pl.LightningDataModule):
    """Batches of one task.

    Training is sharded over processes. Validation and test are not: every process sees every sentence once, so that no
    sentence is counted twice; the Trainer has to leave them so, with `use_distributed_sampler=False`.

    Args:
        task: Encodes and collates.
        train: Texts in the source language.
        validation: Texts in the source language.
        test: Texts in every language of the test.
        source: Training language.
        languages: Languages of the test loaders, in this order.
        batch_size: Sentences per process and step.
        seed: Of the training order.
    """

    def __init__(
        self,
        task: Task,
        *,
        train: TaskCorpus,
        validation: TaskCorpus,
        test: TaskCorpus,
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
        self.loader: TrainLoader | None = None
        self.left: dict[str, int] = {}

    def refuse_unreadable_by(self, parts: Parts) -> None:
        """Raise a ValueError if the model cannot read a text, before it meets it in the midst of training."""
        examples = chain(self.train_examples, self.validation_examples, *self.test_examples)
        lengths, highest = zip(*((len(row["input_ids"]), max(row["input_ids"])) for row in examples), strict=True)
        refuse_unreadable(parts, highest=max(highest), longest=max(lengths))

    def train_dataloader(self) -> DataLoader[Any]:
        """Shuffle by seed and epoch; Lightning sets the sampler's epoch, so a resumed run sees the same order."""
        trainer = self.trainer
        order = Order(
            self.train_examples,  # type: ignore[arg-type]
            num_replicas=trainer.world_size if trainer else 1,
            rank=trainer.global_rank if trainer else 0,
            seed=self.seed,
        )
        self.loader = TrainLoader(
            self.train_examples,  # type: ignore[arg-type]
            batch_size=self.batch_size,
            sampler=order,
            collate_fn=self.task.collate,
            generator=Generator(),  # its own, or every epoch would move torch's random state
        )
        if self.left:
            self.loader.load_state_dict(self.left)
        return self.loader

    def state_dict(self) -> dict[str, int]:
        """Keep where the training loader is.

        Lightning would give that to a loader that it makes after a checkpoint is read, but a schedule that asks for the
        number of steps has it made before.
        """
        return {} if self.loader is None else self.loader.state_dict()

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Let the training loader begin where it was."""
        self.left = state_dict

    def val_dataloader(self) -> DataLoader[Any]:
        """Sentences of the source language."""
        return self._whole(self.validation_examples)

    def test_dataloader(self) -> list[DataLoader[Any]]:
        """One loader per language."""
        return [self._whole(examples) for examples in self.test_examples]

    def _whole(self, examples: list[dict[str, Any]]) -> DataLoader[Any]:
        return DataLoader(examples, batch_size=4 * self.batch_size, collate_fn=self.task.collate_same)  # type: ignore[arg-type]
