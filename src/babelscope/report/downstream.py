"""The table of downstream tasks: what `babelscope evaluate` scored, per folder, score and language."""

from collections.abc import Sequence
from html import escape

import pandas as pd

from babelscope.report.runs import model_of, name_of_setting
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
    rows = []
    for run, metric, values in found:
        cells = [run.folder.name, model_of(run), _setting(run), f"{run.rows['step'].max()}", metric]
        means = [value for value, _, _ in values.values()]
        shown = f"<td><b>{sum(means) / len(means):.3f}</b><small>{len(means)} languages</small></td>"
        rows.append(
            f'<tr><th scope="row">{escape(cells[0])}</th>'
            + "".join(f"<td>{escape(cell)}</td>" for cell in cells[1:])
            + shown
            + "".join(_cell(values.get(language)) for language in languages)
            + "</tr>"
        )
    heads = ("Folder", "Model", "Setting", "Step", "Score", "Mean", *languages)
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    return (
        f'<div class="scroll"><table class="means"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
        '</div><p class="reading">Scores of <code>babelscope evaluate</code>, zero-shot unless its configuration says '
        "otherwise: ± is the harness's standard error over documents, the number after it what guessing gives. The "
        "mean is over the languages that the row has. None of this enters the comparison of runs.</p>"
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


def _cell(found: tuple[float, float | None, float | None] | None) -> str:
    if found is None:
        return "<td></td>"
    value, error, null = found
    small = [f"± {error:.3f}"] if error is not None else []
    small += [f"guessing {null:.3f}"] if null is not None else []
    return f"<td>{value:.3f}{''.join(f'<small>{text}</small>' for text in small)}</td>"
