"""Whether a task's documents fit it: said before a model is loaded, with the place of the one that does not.

The harness counts a label that is no choice as a wrong answer, and ends in an error of its own language at the rest.
"""

from collections.abc import Iterable
from itertools import islice
from typing import Any


def check_documents(task: Any, limit: int | None = None) -> None:
    """Fill the prompts of the documents that are to be answered, and look for the right answer among the choices.

    Args:
        task: Of the harness, with its data.
        limit: How many documents are to be answered; None for all.

    Raises:
        ValueError: naming the first document that does not fit.
    """
    name = task.config.task
    for number, document in enumerate(islice(task.eval_docs, limit), start=1):
        try:
            prompt, target = task.doc_to_text(document), task.doc_to_target(document)
            choices = task.doc_to_choice(document) if task.OUTPUT_TYPE == "multiple_choice" else None
        except Exception as error:  # of a template, or of a function that the task file names
            raise _misfit(name, number, f"got {type(error).__name__}: {' '.join(str(error).split())[:300]}") from error
        if choices is None:
            continue
        right = prompt if task.multiple_input else target
        if wrong := [label for label in _each(right) if not _is_choice(label, choices)]:
            raise _misfit(
                name,
                number,
                f"its right answer is {wrong[0]!r}, which is neither a whole number from 0 to {len(choices) - 1} nor "
                "one of the choices",
            )


def _misfit(name: str, number: int, reason: str) -> ValueError:
    return ValueError(
        f"Expected document {number} of task {name!r} to fit its prompts, but {reason}; correct the data."
    )


def _each(right: Any) -> Iterable[Any]:
    return right if isinstance(right, list) else [right]


def _is_choice(label: Any, choices: list[str]) -> bool:
    return 0 <= label < len(choices) if isinstance(label, int) else label in choices
