"""The few numbers of token tables that are read first, by model and by pair of models."""

from collections.abc import Sequence

import pandas as pd

from babelscope.report.runs import tell_apart
from babelscope.report.table import Run

NUMBERS = {
    "tokens": ("tokens in use", "{:,.0f}"),
    "tokens_unlabelled": ("  left out: without a label", "{:,.0f}"),
    "tokens_zero": ("  left out: of norm zero", "{:,.0f}"),
    "tokens_padding": ("  left out: rows beyond the vocabulary", "{:,.0f}"),
    "width": ("width", "{:.0f}"),
    "script_probe": ("script probe, mean accuracy", "{:.2%}"),
    "script_probe_random": ("  on a random table", "{:.2%}"),
    "script_probe_shuffled": ("  on shuffled labels", "{:.2%}"),
    "script_multiclass": ("multi-class script probe, accuracy", "{:.2%}"),
    "script_multiclass_random": ("  on a random table", "{:.2%}"),
    "script_multiclass_shuffled": ("  on shuffled labels", "{:.2%}"),
    "neighbour_scripts@": ("scripts among {k} neighbours", "{:.2f}"),
    "neighbour_scripts_sd@": ("  standard deviation", "{:.2f}"),
    "neighbour_scripts_null@": ("  random neighbours", "{:.2f}"),
    "neighbour_scripts_legacy@": ("  with the token's own, as published", "{:.2f}"),
    "neighbour_scripts_legacy_sd@": ("  its standard deviation", "{:.2f}"),
    "translation_p@": ("translation P@{k}", "{:.2%}"),
    "translation_null@": ("  random words", "{:.2%}"),
    "translation_coverage": ("  words covered", "{:.1%}"),
    "isoscore": ("IsoScore (not in Wen-Yi & Mimno 2023)", "{:.3f}"),
    "mean_cosine": ("mean cosine of pairs", "{:.3f}"),
}
OF_SECOND = "vocabulary_overlap, the other way round"
PAIRS = {
    "shared_tokens": ("shared tokens", "{:,.0f}"),
    "vocabulary_overlap": ("share of the first's tokens", "{:.1%}"),
    OF_SECOND: ("share of the second's tokens", "{:.1%}"),
    "vocabulary_jaccard": ("Jaccard overlap of vocabularies", "{:.1%}"),
    "neighbour_overlap@": ("neighbours in common", "{:.1%}"),
    "neighbour_overlap_null@": ("  by chance", "{:.2%}"),
    "angle_first": ("first angle's cosine", "{:.3f}"),
    "angle_first_null": ("  by chance, in large tables", "{:.3f}"),
    "angle_mean_square": ("mean squared cosine", "{:.3f}"),
    "angle_mean_square_null": ("  by chance", "{:.3f}"),
}


def name_of(run: Run) -> str:
    """The model of a run."""
    return str(run.manifest.get("token_table") or run.folder.name)


def names_of(runs: Sequence[Run]) -> list[str]:
    """Give each table a distinct name: its model, where several have that its revision, too, else its folder."""
    revisions = [run.manifest.get("revision") for run in runs]
    found = tell_apart([name_of(run) for run in runs], [f" {revision}" if revision else "" for revision in revisions])
    found = tell_apart(found, [f" ({place_of(run)})" for run in runs])
    return tell_apart(found, [f" #{place}" for place, _ in enumerate(runs, start=1)])


def place_of(run: Run) -> str:
    """Name the folder that a run was written to; one command writes several tables, and pairs, below one folder."""
    below = run.folder.name in (str(run.manifest.get("token_table")), "pairs")
    return run.folder.absolute().parent.name if below else run.folder.name


def value_of(run: Run, metric: str) -> float | None:
    """The value of a metric over all scripts or language pairs."""
    rows = run.rows
    found = rows[(rows["metric"] == metric) & (rows["language"] == "") & (rows["other"] == "")]["value"]
    return float(found.iloc[0]) if len(found) else None


def numbers_at(run: Run, metric: str) -> list[int]:
    """The numbers of neighbours for which a metric whose name ends in "@" was measured."""
    names = run.rows["metric"].unique()
    return sorted(int(name.removeprefix(metric)) for name in names if name.startswith(metric))


def published(run: Run, metric: str) -> float | None:
    """A published figure for the model of a run, as the configuration gives it."""
    value = ((run.config.get("published") or {}).get(name_of(run)) or {}).get(metric)
    return None if value is None else float(value)


def token_table(runs: Sequence[Run]) -> pd.DataFrame:
    """One column per table, and one more for each table of whose model figures were published."""
    lines: dict[tuple[str, str], tuple[str, str]] = {}
    for metric, (words, form) in NUMBERS.items():
        if not metric.endswith("@"):
            lines[metric, ""] = (words, form)
            continue
        # a number of neighbours stands with its null and its spread
        if metric in ("neighbour_scripts@", "translation_p@"):
            family = [other for other in NUMBERS if other.endswith("@") and other.split("_")[0] == metric.split("_")[0]]
            for k in sorted({k for run in runs for k in numbers_at(run, metric)}):
                lines |= {(f"{other}{k}", ""): (NUMBERS[other][0].format(k=k), NUMBERS[other][1]) for other in family}
    # what only compares with published figures stands beside them alone
    lines = {
        line: how
        for line, how in lines.items()
        if "_legacy" not in line[0] or any(published(run, line[0]) for run in runs)
    }
    columns: dict[str, list[str]] = {}
    for name, run in zip(names_of(runs), runs, strict=True):
        columns[name] = [_form(value_of(run, metric), form) for (metric, _), (_, form) in lines.items()]
        theirs = [_form(published(run, metric), form) for (metric, _), (_, form) in lines.items()]
        if any(theirs):
            columns[f"{name}, published"] = theirs
    table = pd.DataFrame(columns, index=pd.Index([words for words, _ in lines.values()], name="measure"))
    return table[(table != "").any(axis=1)]


def pair_table(run: Run) -> pd.DataFrame:
    """One line per pair of models."""
    lines: dict[str, list[str]] = {}
    for a, b in pairs_of(run):
        values, back = (_between(run, *pair) for pair in ((a, b), (b, a)))
        # the number of neighbours may be lower for a pair that shares few tokens
        values = {name.split("@")[0] + "@" if "@" in name else name: value for name, value in values.items()}
        if "vocabulary_overlap" in back:
            values[OF_SECOND] = back["vocabulary_overlap"]
        lines[f"{a} x {b}"] = [_form(values.get(metric), form) for metric, (_, form) in PAIRS.items()]
    return pd.DataFrame.from_dict(lines, orient="index", columns=[name for name, _ in PAIRS.values()]).rename_axis(
        "pair"
    )


def _between(run: Run, a: str, b: str) -> dict[str, float]:
    rows = run.rows[(run.rows["language"] == a) & (run.rows["other"] == b)]
    return dict(zip(rows["metric"], rows["value"], strict=True))


def pairs_of(run: Run) -> list[tuple[str, str]]:
    """The pairs of models that were compared."""
    rows = run.rows[run.rows["metric"] == "shared_tokens"]
    return list(zip(rows["language"], rows["other"], strict=True))


def _form(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)
