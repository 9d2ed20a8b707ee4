"""The table of downstream tasks: what `babelscope evaluate` scored, per folder, score and language."""

from collections.abc import Collection, Mapping, Sequence
from html import escape
from typing import Any

import pandas as pd

from babelscope.report.numbers import plus_minus
from babelscope.report.runs import counted, model_of, name_of_setting
from babelscope.report.table import Run


def is_of_tasks(run: Run) -> bool:
    """Whether `babelscope evaluate` made a run; it has no layers and is no baseline of anything."""
    return "benchmark" in run.manifest


def downstream_html(runs: Sequence[Run]) -> str:
    """Render one row per folder and score, one column per language; "" without a score."""
    found = [(run, metric, values) for run in runs for metric, values in _scores(run.rows).items()]
    languages = list(dict.fromkeys(language for _, _, values in found for language in values))
    if not found:
        return ""
    told = _told(runs)
    rows = []
    for run, metric, values in found:
        cells = [run.folder.name, _model(run), _setting(run), f"{run.rows['step'].max()}", metric]
        means = [value for value, _, _ in values.values()]
        shown = f"<td><b>{sum(means) / len(means):.3f}</b><small>{counted(len(means), 'language')}</small></td>"
        rows.append(
            f'<tr><th scope="row">{escape(cells[0])}</th>'
            + "".join(f"<td>{escape(cell)}</td>" for cell in cells[1:])
            + shown
            + "".join(_cell(values.get(language), _asked(_tasks(run).get(language), told)) for language in languages)
            + "</tr>"
        )
    heads = ("Folder", "Model", "Setting", "Step", "Score", "Mean", *languages)
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    return (
        f'<div class="scroll"><table class="means"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
        f'</div>{_differing(runs)}<p class="reading">Scores of <code>babelscope evaluate</code>, zero-shot and on all '
        "documents unless a cell says otherwise: ± is the harness's standard error over documents, the number after it "
        "what guessing gives. The mean is over the languages that the row has. None of this enters the comparison of "
        "runs.</p>"
    )


def _model(run: Run) -> str:
    """Name the model; of a run folder, whose name is no model's, the model that was trained in it, and the run."""
    origin = run.manifest.get("trained_in") or {}
    if not origin.get("run"):
        return model_of(run)
    return f"{origin.get('model') or run.manifest.get('model_type')}, run {origin['run']}"


def _tasks(run: Run) -> Mapping[str, Mapping[str, Any]]:
    """What the manifest says of the task of each language."""
    return run.manifest.get("tasks") or {}


def _told(runs: Sequence[Run]) -> set[str]:
    """Choose what every cell tells of its task: what is not the default somewhere, or not the same in every row."""
    counts: dict[str, set[int]] = {}
    for run in runs:
        for language, task in _tasks(run).items():
            counts.setdefault(language, set()).add(task["documents"])
    tasks = [task for run in runs for task in _tasks(run).values()]
    told = set()
    if any(task["documents"] != task["of"] for task in tasks) or any(len(found) > 1 for found in counts.values()):
        told.add("documents")
    if any(task["num_fewshot"] for task in tasks):
        told.add("num_fewshot")
    return told


def _asked(task: Mapping[str, Any] | None, told: Collection[str]) -> list[str]:
    """Say how a task was asked."""
    if task is None:
        return []
    said = [f"{task['documents']} of {counted(task['of'], 'document')}"] if "documents" in told else []
    said += [counted(task["num_fewshot"], "example")] if "num_fewshot" in told else []
    return said + ([f"{counted(task['truncated'], 'prompt')} cut"] if task.get("truncated") else [])


def _differing(runs: Sequence[Run]) -> str:
    """Name the tasks that were not asked alike in every row, by the hash of documents, prompts and targets."""
    folders: dict[tuple[str, str], dict[str, list[str]]] = {}
    for run in runs:
        for language, task in _tasks(run).items():
            by_hash = folders.setdefault((task["task"], language), {})
            by_hash.setdefault(task["hash"], []).append(run.folder.name)
    found = [
        f"{name} ({language}): {' | '.join(', '.join(dict.fromkeys(names)) for names in by_hash.values())}"
        for (name, language), by_hash in folders.items()
        if len(by_hash) > 1
    ]
    if not found:
        return ""
    return (
        '<p class="reading">Not to be compared: documents, prompts or right answers differ in '
        f"{escape('; '.join(found))} (folders separated by | received different ones).</p>"
    )


def _scores(rows: pd.DataFrame) -> dict[str, dict[str, tuple[float, float | None, float | None]]]:
    """Sort rows into score, standard error and chance, by metric and language."""
    known: dict[str, dict[str, float]] = {}
    for metric, language, value in zip(rows["metric"], rows["language"], rows["value"], strict=True):
        known.setdefault(str(metric), {})[str(language)] = float(value)
    found = {}
    for metric, values in known.items():
        if metric.endswith("_null") or "_stderr" in metric:
            continue
        name, comma, kind = metric.partition(",")
        errors, nulls = known.get(f"{name}_stderr{comma}{kind}", {}), known.get(f"{metric}_null", {})
        found[metric] = {
            language: (value, errors.get(language), nulls.get(language)) for language, value in values.items()
        }
    return found


def _setting(run: Run) -> str:
    return name_of_setting(run) if run.manifest.get("setting") else ""


def _cell(found: tuple[float, float | None, float | None] | None, asked: Sequence[str]) -> str:
    if found is None:
        return "<td></td>"
    value, error, null = found
    small = [plus_minus(error)] if error is not None else []
    small += [f"guessing {null:.3f}"] if null is not None else []
    return f"<td>{value:.3f}{''.join(f'<small>{text}</small>' for text in [*small, *asked])}</td>"
