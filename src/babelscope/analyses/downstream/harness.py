"""Downstream tasks by EleutherAI's lm-evaluation-harness, whose prompts and scoring are used as they are.

Only this file and harness_model.py import the harness, and only when a task is asked for.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from hashlib import sha256
from importlib import import_module
from io import StringIO
from logging import ERROR, getLogger
from pathlib import Path
from typing import Any

from babelscope.analyses.downstream.documents import check_documents
from babelscope.analyses.downstream.published_files import published_paths, read_published
from babelscope.models.families import Family

BACKENDS = {"causal": "causal", "span": "seq2seq"}
"""The harness's word for a family's objective."""


@dataclass(frozen=True)
class TaskScores:
    """What a model reached in one task of one language."""

    task: str
    scores: dict[str, float]
    """By the harness's own names of metrics, such as acc and acc_stderr; acc_null is what guessing gives."""
    documents: int
    of: int
    num_fewshot: int
    version: str
    fingerprint: str
    """The harness's own hash of all documents, prompts and targets."""
    truncated: int
    """Prompts that were longer than the model can read, and lost their beginning."""
    samples: list[dict[str, Any]]
    """Every document with its prompts and the model's answers, as the harness logs them."""


def load_tasks(
    names: Mapping[str, str],
    *,
    include: Path | None = None,
    folders: Sequence[str] = (),
    files: Mapping[str, str] | None = None,
    data: Path | None = None,
    num_fewshot: int | None = None,
    seed: int = 0,
    limit: int | None = None,
) -> dict[str, Any]:
    """Find tasks of the harness by name and read their data; gives the harness's task of each language.

    Args:
        names: The task of each language (FLORES code).
        include: A folder of task files in the harness's YAML; they go before those of the same name in the harness.
        folders: Folders of the harness to look into before all of them, which takes seconds.
        files: File of each split below `data`, where {name} is the harness's name of the language; JSON lines.
        data: A folder of published files to read instead of the Hub's.
        num_fewshot: Worked examples before each question; by default what the task says, else none.
        seed: Of the choice of worked examples.
        limit: How many documents of a task are to be answered; None for all.

    Raises:
        ValueError: if the harness is not installed, a name is unknown or of a group, a task cannot be built or its data
            cannot be read or do not fit, or it has a fixed number of examples and another is asked for.
    """
    require_harness()
    managers = {language: _find_manager(name, language, include, folders) for language, name in names.items()}
    tasks = {}
    for language, name in names.items():
        manager = managers[language]
        changes: dict[str, Any] = {}
        paths: dict[str, Path] = {}
        if data is not None:
            paths = published_paths(name, str(manager.task_index[name].cfg.get("dataset_name")), files or {}, data)
            changes = {"custom_dataset": read_published(paths)}
        tasks[language] = _build(manager, name, changes, published=bool(files))
        check_documents(tasks[language], limit, files=paths)
        _set_examples(tasks[language], name, num_fewshot)
        tasks[language].set_fewshot_seed(seed=seed)
    return tasks


def score_task(model: Any, task: Any, *, limit: int | None = None) -> TaskScores:
    """Let a model answer a task's documents, the first `limit` of them or all.

    Raises:
        ValueError: if an answer has no tokens, or none that fit into the model's length.
    """
    name = task.config.task
    before = model.truncated
    try:
        with quiet():
            results = import_module("lm_eval.evaluator").evaluate(model, {"tasks": {name: task}}, limit=limit)
    except (LookupError, AssertionError) as error:  # of the harness, where an answer leaves no room for a prompt
        raise ValueError(_without_room(model, task)) from error
    samples = results["samples"][name]
    hashes = "".join(sample["doc_hash"] + sample["prompt_hash"] + sample["target_hash"] for sample in samples)
    count = results["n-samples"][name]
    scores = {
        key.removesuffix(",none"): float(value)
        for key, value in results["results"][name].items()
        if "," in key and isinstance(value, int | float)
    }
    return TaskScores(
        task=name,
        scores={**scores, **_guessing(task, samples, scores)},
        documents=count["effective"],
        of=count["original"],
        num_fewshot=int(results["n-shot"][name]),
        version=str(results["versions"][name]),
        fingerprint=sha256(hashes.encode()).hexdigest(),
        truncated=model.truncated - before,
        samples=samples,
    )


def _without_room(model: Any, task: Any) -> str:
    """Say which answer has no tokens, or leaves no room for a prompt."""
    name, room = task.config.task, model.max_length
    if task.OUTPUT_TYPE == "generate_until":
        asked = (task.config.generation_kwargs or {}).get("max_gen_toks", model.max_gen_toks)
        return (
            f"Expected `max_gen_toks` of task {name!r} to be less than the {room} tokens that the model reads, but got "
            f"{asked}, which leave no room for a prompt; set fewer in `generation_kwargs` of the task file, or raise "
            "max_length."
        )
    answers = ((asked.doc_id + 1, asked.args[-1]) for asked in task.instances)
    counts = ((number, answer, len(model.tok_encode(answer, add_special_tokens=False))) for number, answer in answers)
    found = next((told for told in counts if not 1 <= told[2] <= room), None)
    got = "one without" if found is None else f"{found[2]} for {found[1][:60]!r} of document {found[0]}"
    return (
        f"Expected every answer of task {name!r} to have from 1 to {room} tokens, as many as the model reads, but got "
        f"{got}; raise max_length, or correct the data."
    )


def refuse_unscored(family: Family) -> None:
    """Refuse a family that has no likelihood of a continuation: it predicts masked tokens, or translates.

    Raises:
        ValueError: naming the family.
    """
    if family.objective not in BACKENDS:
        raise ValueError(
            f"Expected `model` to be a causal or an encoder-decoder language model, but got {family.model_type}, whose "
            f"objective is {family.objective}, while the harness scores continuations; choose another, such as "
            "model=lab_bloom, or measure this one by babelscope probe."
        )


def require_harness() -> str:
    """Make sure that the harness is installed, and give its version.

    Raises:
        ValueError: if it is not.
    """
    try:
        return str(import_module("lm_eval").__version__)
    except ImportError as error:
        raise ValueError(
            f"Expected EleutherAI's lm-evaluation-harness to be installed, but it is not ({error}); "
            'pip install "babelscope[eval]".'
        ) from error


def _guessing(task: Any, samples: Sequence[Mapping[str, Any]], scores: Mapping[str, float]) -> dict[str, float]:
    """What a random choice reaches: the mean of one over the number of choices."""
    if task.OUTPUT_TYPE != "multiple_choice" or task.multiple_target:
        return {}
    null = sum(1 / len(task.doc_to_choice(sample["doc"])) for sample in samples) / len(samples)
    return {f"{key}_null": null for key in scores if key.startswith("acc") and "_stderr" not in key}


def _find_manager(name: str, language: str, include: Path | None, folders: Sequence[str]) -> Any:
    """Find the first place that knows a task, by its manager: the user's folder, the benchmark's, the whole harness."""
    shipped = Path(import_module("lm_eval.tasks").__file__ or "").parent
    places = [*([include] if include else []), *(shipped / folder for folder in folders), shipped]
    for place in places:
        manager = _index(place.expanduser().absolute())
        if name in manager.all_subtasks:
            return manager
        if name in manager.all_tasks:
            raise ValueError(
                f"Expected `tasks.{language}` to be one task of the harness, but got {name!r}, which stands for "
                "several; name one of them."
            )
    known = sorted({known for place in places for known in _index(place.expanduser().absolute()).all_subtasks})
    mine = _index(include.expanduser().absolute()).all_subtasks if include else []
    raise ValueError(
        f"Expected `tasks.{language}` to be a task of the harness, but got {name!r}; nearest: "
        f"{', '.join(get_close_matches(name, known, n=3, cutoff=0.0))}; "
        + (f"{include} has {', '.join(mine) or 'none'}." if include else "include=FOLDER finds task files of your own.")
    )


@cache
def _index(folder: Path) -> Any:
    if not folder.is_dir():
        raise ValueError(
            f"Expected `include` to be a folder of task files in the harness's YAML, but found none at {folder}; "
            "correct the path."
        )
    with quiet():
        return import_module("lm_eval.tasks").TaskManager(include_path=str(folder), include_defaults=False)


def _build(manager: Any, name: str, changes: Mapping[str, Any], *, published: bool) -> Any:
    # an existing task with changes can only be named inside a group
    wanted = {"group": "babelscope", "task": [{"task": name, **changes}]} if changes else name
    try:
        with quiet():
            return manager.load(wanted)["tasks"][name]
    except Exception as error:  # whatever the Hub, its client, the user's YAML and the functions it names may raise
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        instead = "give published files by data=FOLDER" if published else "give a task on files by include=FOLDER"
        raise ValueError(
            f"Expected task {name!r} and its data to be readable, but got {reason}; connect to the Hub once, after "
            f"which the data are on this machine, {instead}, or correct the task file."
        ) from error


def _set_examples(task: Any, name: str, num_fewshot: int | None) -> None:
    fixed = task.get_config("num_fewshot")
    if num_fewshot and fixed == 0:  # the harness would go on without a word
        raise ValueError(
            f"Expected `num_fewshot` to be null for task {name!r}, which allows no examples, but got {num_fewshot}; "
            "leave it out."
        )
    if num_fewshot is not None or fixed is None:
        task.set_config(key="num_fewshot", value=num_fewshot or 0)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the harness's log to errors, and its progress bars to where a person watches."""
    getLogger("lm_eval").setLevel(ERROR)
    if sys.stderr.isatty():
        yield
        return
    with redirect_stderr(StringIO()):  # the harness has no switch for its bars
        yield
