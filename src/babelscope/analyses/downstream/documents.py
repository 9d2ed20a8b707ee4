"""Check that a task's documents fit its prompts, before a model is loaded; errors name the document.

The harness counts a label that is no choice as a wrong answer, and ends in an error of its own language at the rest.
"""

from collections.abc import Mapping, Sequence
from itertools import islice
from numbers import Integral
from pathlib import Path
from typing import Any


def check_documents(task: Any, limit: int | None = None, *, files: Mapping[str, Path] | None = None) -> None:
    """Fill the prompts of the documents that are to be answered, and look for the right answer among the choices.

    Args:
        task: Of the harness, with its data.
        limit: How many documents are to be answered; None for all.
        files: The published file of each split, where documents are rows of these.

    Raises:
        ValueError: naming the first document that does not fit.
    """
    name = task.config.task
    # of the split that the harness asks
    file = files.get(task.config.test_split or task.config.validation_split) if files else None
    # a task with scoring of its own may do without a right answer
    asks = task.OUTPUT_TYPE == "multiple_choice" and not callable(task.config.process_results)
    for number, document in enumerate(islice(task.eval_docs, limit), start=1):
        try:
            prompt, target = task.doc_to_text(document), task.doc_to_target(document)
            right, choices = prompt if task.multiple_input else target, task.doc_to_choice(document) if asks else []
            wrong = asks and not _is_right(right, choices)
        except Exception as error:  # of a template, or of a function that the task file names
            raise _misfit(name, file, number, f"got {_named(error)}") from error
        if wrong:
            raise _misfit(
                name,
                file,
                number,
                f"its right answer is {right!r}, which is neither a whole number from 0 to {len(choices) - 1} nor one "
                "of the choices",
            )


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


def _misfit(name: str, file: Path | None, number: int, reason: str) -> ValueError:
    place = "" if file is None else f" (row {number} of {file})"
    return ValueError(
        f"Expected document {number} of task {name!r}{place} to fit its prompts, but {reason}; correct the data."
    )


def _is_right(answer: Any, choices: Sequence[str]) -> bool:
    """Return whether the harness can find the answer: by its place, one of several places, or its text."""
    if isinstance(answer, list):
        return bool(answer) and all(_is_place(label, choices) for label in answer)
    return answer in choices if isinstance(answer, str) else _is_place(answer, choices)


def _is_place(label: Any, choices: Sequence[str]) -> bool:
    return isinstance(label, Integral) and 0 <= int(label) < len(choices)
