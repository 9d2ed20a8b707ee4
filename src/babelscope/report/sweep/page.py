"""The page of a sweep: one HTML file with all numbers inside, which the reader's browser filters and averages."""

from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from babelscope.files import write_text
from babelscope.report.bidi import isolate
from babelscope.report.conditions import describe_differing, differing_conditions
from babelscope.report.downstream import downstream_html
from babelscope.report.frame import footer_html, header_html
from babelscope.report.page import embed_json, section_html
from babelscope.report.runs import counted
from babelscope.report.sweep.data import describe_sweep, link_to, state_of
from babelscope.report.sweep.runs import SweepRun, say_ends
from babelscope.report.table import Run
from babelscope.sweeps.jobs import GONE, RETRIED, UNREADABLE, Job

SCRIPTS = ("statistics", "selection", "names", "tables", "figures", "filters", "sweep", "print")
TROUBLE = (*RETRIED, UNREADABLE, GONE)


def write_sweep_page(
    runs: Sequence[SweepRun],
    jobs: Sequence[Job],
    path: Path,
    *,
    study: Path | None = None,
    downstream: Sequence[Run] = (),
) -> Path:
    """Write the page of a sweep, whole.

    Args:
        runs: fine-tuning runs, finished or not.
        jobs: what the ledger and unreadable folders say.
        path: where the page goes.
        study: the page of the same runs as a study, to link.
        downstream: runs of `babelscope evaluate`, shown apart.

    Raises:
        OSError: the file cannot be written.
    """
    return write_text(path, render_sweep(runs, jobs, path, study=study, downstream=downstream))


def render_sweep(
    runs: Sequence[SweepRun],
    jobs: Sequence[Job],
    path: Path,
    *,
    study: Path | None = None,
    downstream: Sequence[Run] = (),
) -> str:
    """Render the page of a sweep as HTML that loads nothing from elsewhere."""
    known = {job.folder.absolute(): job for job in jobs}
    data = describe_sweep(runs, known, path)
    title = f"{counted(len(runs), 'run')} of {counted(len(data['models']), 'model')}"
    rest = [
        section_html("trouble", "Jobs without a result", trouble_html(jobs, path)),
        section_html("conditions", "What else differs between runs", _differing(runs)),
        section_html("downstream", "Downstream tasks", downstream_html(downstream)),
        footer_html(", and is averaged in this page as its filters say."),
    ]
    assets, own = files("babelscope.report"), files("babelscope.report.sweep")
    styles = [file.read_text(encoding="utf-8") for file in (assets / "style.css", own / "sweep.css")]
    scripts = [own.joinpath(f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS]
    return Template(own.joinpath("sweep.html").read_text(encoding="utf-8")).substitute(
        title=f"Babelscope: {escape(title)}",
        style="\n".join(styles),
        head=header_html(title, _facts(data, runs, known)) + _linked(study, path),
        hidden="" if runs else " hidden",
        rest="\n".join(filter(None, rest)),
        data=embed_json(data),
        script="\n".join(scripts),
    )


def trouble_html(jobs: Sequence[Job], path: Path) -> str:
    """Render what failed, was interrupted, cannot be read or is no longer there; "" for nothing."""
    rows = []
    for job in sorted(jobs, key=lambda job: (TROUBLE.index(job.state) if job.state in TROUBLE else 9, job.folder)):
        if job.state not in TROUBLE:
            continue
        link = link_to(job.log, path) if job.log else ""
        log = f'<a href="{escape(link)}">log</a>' if link else escape(str(job.log.name) if job.log else "")
        cells = [f"<td>{job.state}</td>", f"<td>{escape(' '.join(map(isolate, job.overrides)))}</td>"]
        cells += [f"<td>{escape(job.error)}</td>", f"<td>{log}</td>"]
        rows.append(f'<tr><th scope="row">{escape(job.folder.name)}</th>{"".join(cells)}</tr>')
    if not rows:
        return ""
    heads = "".join(f'<th scope="col">{name}</th>' for name in ("Job", "State", "Overrides", "Error", "Log"))
    return (
        '<div class="scroll wrapped" tabindex="0" role="region" aria-label="Jobs without a result"><table>'
        f"<caption>{counted(len(rows), 'job')} without a result</caption><thead><tr>{heads}</tr></thead>"
        f'<tbody>{"".join(rows)}</tbody></table></div><p class="reading">The same command again runs failed and '
        "interrupted jobs from their last checkpoint, as does <code>babelscope runs FOLDER --retry failed</code>.</p>"
    )


def _facts(data: Mapping[str, Any], runs: Sequence[SweepRun], jobs: Mapping[Path, Job]) -> dict[str, str]:
    states = Counter(state_of(run, jobs) for run in runs)
    folders = {run.folder.absolute() for run in runs}
    states.update(job.state for folder, job in jobs.items() if folder not in folders and job.state != "done")
    # an unreadable one may also be failed
    said = [f"{count} {name}" for name, count in states.most_common() if name != "done"]
    return {
        "Models": ", ".join(map(isolate, data["models"])),
        "Tasks": ", ".join(map(isolate, data["tasks"])),
        "Settings": str(len(data["settings"])),
        "Fine-tuned on": ", ".join(map(isolate, data["sources"])),
        "Tested in": counted(len(data["languages"]), "language"),
        "Seeds": str(len(data["seeds"])),
        "Runs": ", ".join([f"{states['done']} finished", *said]),
    }


def _linked(study: Path | None, path: Path) -> str:
    if study is None:
        return ""
    link = escape(link_to(study, path))
    return f'<p class="reading">Which layers to freeze, model by model: <a href="{link}">the page of the study</a>.</p>'


def _differing(runs: Sequence[SweepRun]) -> str:
    """Name what differs between runs of one model and task beyond setting, seed and source language."""
    groups: dict[tuple[str, str], list[dict[str, str]]] = {}
    for run in runs:
        if run.finished:
            groups.setdefault((run.model, run.task), []).append(run.conditions)
    lines = []
    for names, conditions in sorted(groups.items()):
        if said := describe_differing(differing_conditions(conditions)):
            lines.append(f"<li>{escape(', '.join(map(isolate, names)))}: {escape('. '.join(said))}.</li>")
    early = say_ends(runs)
    ends = f'<p class="reading gap">{escape(early)}</p>' if early else ""
    if not lines:
        return ends
    return ends + (
        '<p class="reading gap">Differences between these runs may come from this as well. Several runs of one model, '
        f"setting, source language and seed count as one, their mean.</p><ul>{''.join(lines)}</ul>"
    )
