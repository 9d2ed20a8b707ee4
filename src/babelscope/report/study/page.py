"""The page of a study: which layers to freeze, with what certainty, in one file without a network."""

from collections import Counter
from collections.abc import Sequence
from html import escape
from pathlib import Path

import pandas as pd

from babelscope.files import write_text
from babelscope.report.bidi import isolate
from babelscope.report.conditions import differing_conditions
from babelscope.report.downstream import downstream_html
from babelscope.report.frame import fill_page, footer_html, header_html, tabs_html
from babelscope.report.page import cards_html, panel_html, section_html
from babelscope.report.runs import counted
from babelscope.report.study.answer import answer_of, key_numbers_of
from babelscope.report.study.claims import FAILS, HOLDS, check_alignment, check_claims
from babelscope.report.study.curves import curves
from babelscope.report.study.html import claims_html, csv_link, guard_html, runs_html, settings_html
from babelscope.report.study.panels import (
    differences,
    frontier,
    frontier_settings,
    frozen,
    guard,
    transfer,
)
from babelscope.report.study.replicates import Replicate
from babelscope.report.study.studies import Study, primary_scores, studies_of, units_of
from babelscope.report.study.tables import (
    BASE,
    language_values,
    pair_differences,
    ranked_settings,
    share_units,
    summarise,
    summarise_languages,
    unit_values,
)
from babelscope.report.table import Run
from babelscope.report.words import words_of


def write_study_page(runs: Sequence[Replicate], path: Path, *, downstream: Sequence[Run] = ()) -> Path:
    """Write the page of a study, whole; `downstream` are runs of `babelscope evaluate`, shown apart.

    Raises:
        ValueError: no run was fine-tuned and tested.
        OSError: the file cannot be written.
    """
    return write_text(path, render_study(runs, downstream))


def render_study(runs: Sequence[Replicate], downstream: Sequence[Run] = ()) -> str:
    """Render the page of a study as HTML that loads nothing from elsewhere.

    Raises:
        ValueError: no run was fine-tuned and tested.
    """
    studies = studies_of(runs)
    if not studies:
        raise ValueError(
            "Expected argument `runs` to hold a run that was fine-tuned and tested, but got none; finish a run first."
        )
    title = "Which layers to freeze"
    shown = {run.folder for study in studies for run in [*study.runs, *study.left_out]}
    ignored = [run for run in runs if run.folder not in shown]
    sections = [
        _header(studies, title),
        _tabs(studies),
        _ignored(ignored),
        section_html("downstream", "Downstream tasks", downstream_html(downstream)),
        footer_html(". How intervals and verdicts are made: <code>docs/methods.md</code>."),
    ]
    return fill_page(title, sections, styles=("style", "study"), scripts=("page", "labels"))


def _header(studies: Sequence[Study], title: str) -> str:
    runs = [run for study in studies for run in study.runs]
    unfinished = sum(len(study.left_out) for study in studies)
    steps = sorted({int(run.layers["step"].max()) for run in runs if len(run.layers)})
    first = runs[0].facts
    facts = {
        "Model": "; ".join(dict.fromkeys(isolate(study.model) for study in studies)),
        "Task": "; ".join(dict.fromkeys(study.task for study in studies)),
        "Fine-tuned on": ", ".join(map(isolate, sorted({run.source for run in runs}))),
        "Corpus": first.get("Corpus", ""),
        "Languages": first.get("Languages", ""),
        "Runs": f"{len(runs)} finished{f', {unfinished} unfinished' if unfinished else ''}",
        "Settings": str(len({run.setting for run in runs})),
        "Seeds": str(len({run.seed for run in runs})),
        "Each a study of its own": "; ".join(dict.fromkeys(filter(None, (study.variant for study in studies)))),
        "They differ also in": _differing(studies),
        "Training steps": f"{steps[0]} to {steps[-1]}" if len(steps) > 1 else "".join(map(str, steps)),
    }
    return header_html(title, facts)


def _differing(studies: Sequence[Study]) -> str:
    keys = [key for study in studies for key in differing_conditions([run.conditions for run in study.runs])]
    keys = list(dict.fromkeys(keys))
    return f"{', '.join(keys[:4])}{', ...' if len(keys) > 4 else ''} (see The runs)" if keys else ""


def _tabs(studies: Sequence[Study]) -> str:
    several = len({study.model for study in studies}) > 1
    names = [f"{isolate(study.model)}, {study.name}" if several else study.name for study in studies]
    return tabs_html("Model and task", names, [_body(study, place) for place, study in enumerate(studies)])


def _body(study: Study, place: int) -> str:
    values, by_language = unit_values(study), language_values(study)
    shared = share_units(values)
    table, pairs = summarise(shared), summarise(pair_differences(shared))
    languages = summarise_languages(share_units(by_language))
    scores, ranked = primary_scores(study), ranked_settings(values)
    metric = scores[0] if scores else ""
    best = frontier_settings(study, values, metric)
    claims = check_claims(study, values, by_language, metric)
    claimed = claims_html(claims) + _claims_note(study, values, by_language, scores, len(claims))
    head = f'<p class="answer">{escape(answer_of(study, values, metric, best))}</p>'
    head += cards_html(key_numbers_of(study, values, metric, claims))
    settings = settings_html(study, table, languages, pairs, metric=metric, best=best, ranked=ranked)
    parts = {
        "frontier": ("What to freeze", _html(frontier(study, values)) + _html(frozen(study))),
        "settings": ("Every setting", settings + _settings_note(study, table, languages, pairs)),
        "claims": ("Which claims hold here", claimed),
        "differences": ("Against no freezing", _html(differences(study, values))),
        "curves": ("During fine-tuning", "".join(map(panel_html, curves(study)))),
        "transfer": ("Language by language", panel_html(transfer(study, by_language))),
        "guard": ("What the guard decided", guard_html(study) + _html(guard(study))),
        "runs": ("The runs", runs_html(study)),
    }
    return head + "".join(section_html(f"{name}{place or ''}", title, body) for name, (title, body) in parts.items())


def _settings_note(study: Study, table: pd.DataFrame, languages: pd.DataFrame, pairs: pd.DataFrame) -> str:
    tables = pd.concat(
        [
            table.assign(table="mean", over="seeds"),
            languages.assign(table="mean", over="languages"),
        ]
    )
    files = {"settings": tables} | ({"differences-to-none": pairs.assign(over="seeds")} if len(pairs) else {})
    links = " ".join(csv_link(f"{name}-{study.name}", file) for name, file in files.items())
    tested = languages.loc[languages["quantity"] == "zero_shot", "n"]
    number = f"n = {int(tested.max())}" if len(tested) else "n = 0"
    compared = (
        " Differences are run against run with the same seed and source language; blue is better than none, orange "
        "worse, grey undecided."
    )
    return (
        f'<p class="reading">Means with 95 % intervals by Student\'s t: the first ± is over {units_of(study)} (n), '
        f"the one marked lang. over languages ({number}), each first averaged over its runs. Change of alignment is "
        f"the last measured step minus step 0, so 0 is all kept.{compared if len(pairs) else ''} One seed has no "
        "interval. Settings are ranked and compared on the runs that all ranked ones share; incomplete ones lack runs "
        f"that {'none has' if BASE in study.settings else 'most settings have'}, are means over their own, and are "
        "neither ranked nor on the frontier.</p>"
        f'<p class="reading">All numbers of this section, with every score and part of the depth: {links}</p>'
    )


def _claims_note(
    study: Study, values: pd.DataFrame, by_language: pd.DataFrame, scores: Sequence[str], tested: int
) -> str:
    others = {name: check_alignment(study, values, by_language, name) for name in scores[1:]}
    total = tested + sum(map(len, others.values()))
    measured = f"Alignment by {escape(words_of(scores[0]).name)}. " if scores else ""
    note = (
        f'<p class="reading">{measured}Intervals are over {escape(units_of(study))}. A claim holds if its 95 % '
        "interval is wholly above 0, does not "
        "hold if it is wholly below, and is undecided if it holds 0 or there is none. The claims on spread, drop and "
        "freezing are those of Wilie et al. 2025, the rest is what comes next. Frozen layers keep their alignment "
        "by construction, so what freezing retains is measured in the layers above them. "
        f"{total} claims were tested in this tab and no interval is widened for that: at 95 %, one in twenty "
        "effects that are not there is found all the same. The best setting was chosen on the same runs, which "
        "flatters it.</p>"
    )
    folded = "".join(
        f"<details><summary>The same claims about alignment by {escape(words_of(other).name)}: {_count(claims)}"
        f"</summary>{claims_html(claims)}</details>"
        for other, claims in others.items()
    )
    return note + folded


def _count(claims: Sequence) -> str:
    found = Counter(claim.verdict for claim in claims)
    return f"{found[HOLDS]} hold, {found[FAILS]} do not, {len(claims) - found[HOLDS] - found[FAILS]} undecided"


def _ignored(runs: Sequence[Replicate]) -> str:
    if not runs:
        return ""
    names = ", ".join(sorted({run.folder.name for run in runs})[:8])
    why = "no task, or no other run of the same study is finished"
    text = f"Not shown here: {counted(len(runs), 'run')} ({names}); {why}."
    return f'<p class="reading">{escape(text)}</p>'


def _html(panel: object) -> str:
    return panel_html(panel) if panel else ""  # type: ignore[arg-type]
