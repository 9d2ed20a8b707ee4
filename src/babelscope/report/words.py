"""What metrics are called and how they are read, in words for people."""

from dataclasses import dataclass
from html import escape
from typing import Literal

import pandas as pd

Kind = Literal["alignment", "separability", "other"]


@dataclass(frozen=True)
class Words:
    """How one metric is named and read."""

    name: str
    """Short, for axes and hover texts."""
    title: str
    """For the head of a figure: says what is seen and its unit."""
    reading: str = ""
    """One or two sentences on how to read it."""
    kind: Kind = "other"
    """Metrics of one kind share a colour scale."""
    null: str = ""
    """The metric that says what chance gives; drawn as a dashed line."""
    unit_interval: bool = True
    """Whether all values lie in 0..1."""


WORDS = {
    "ilo": Words(
        "ILO",
        "Interlingual Local Overlap (ILO, 0 to 1)",
        "ILO is the harmonic mean of bridge and reach: near 1, sentences have neighbours in many other languages. "
        "It does not check that those neighbours are translations: points without any structure score the mixing "
        "null (dashed).",
        "alignment",
        "ilo_null",
    ),
    "bridge": Words(
        "bridge",
        "Bridge: sentences near several languages (share, 0 to 1)",
        "Bridge is the share of a language's sentences whose nearest neighbours lie in enough other languages.",
        "alignment",
        "bridge_null",
    ),
    "reach": Words(
        "reach",
        "Reach: other languages met at all (share, 0 to 1)",
        "Reach is the share of the other languages met by at least one neighbour of one sentence: it saturates first.",
        "alignment",
    ),
    "separability": Words(
        "separability",
        "Separability of languages by a linear probe (recall, 0 to 1)",
        "Recall of a linear probe that names the language of an unseen sentence: near 1, every language keeps apart. "
        "The dashed line is the same probe on shuffled labels.",
        "separability",
        "separability_control",
    ),
    "separability_centred": Words(
        "separability, centred",
        "Separability after language means are removed (recall, 0 to 1)",
        "The same probe after each language's mean is subtracted. By theorem it is at chance: no linear probe sees "
        "past equal means. Read what remains by neighbours.",
        "separability",
        "separability_control",
    ),
    "script_separability": Words(
        "script separability",
        "Separability of writing systems by a linear probe (accuracy, 0 to 1)",
        "Accuracy of a linear probe that names the writing system of an unseen sentence.",
        "separability",
        "script_separability_control",
    ),
    "selectivity": Words(
        "selectivity",
        "Selectivity: separability less that on shuffled labels",
        "How far the linear probe is above the same probe trained on shuffled labels.",
        "separability",
        unit_interval=False,
    ),
    "knn_lid": Words(
        "language by neighbours",
        "Language identified from nearest neighbours (accuracy, 0 to 1)",
        "How often a sentence's nearest neighbours give away its language: high where languages form islands.",
        "separability",
    ),
    "knn_lid_centred": Words(
        "language by neighbours, centred",
        "Language identified from nearest neighbours after language means are removed (accuracy, 0 to 1)",
        "The same after each language's mean is subtracted: what remains is no mere shift of the whole language.",
        "separability",
    ),
    "neighbour_share": Words("share of neighbours", "Whose sentences are the neighbours (share of neighbours, 0 to 1)"),
    "accuracy": Words("accuracy", "accuracy (0 to 1)"),
    "loss": Words("loss", "loss (nats)", unit_interval=False),
}
ORDER = {name: place for place, name in enumerate(WORDS)}


def words_of(metric: str) -> Words:
    """Look a metric up; "name/key" is `key` configured under another name; an unknown one is its own name."""
    prefix, _, key = metric.rpartition("/")
    known = WORDS.get(key)
    if known is None:
        return Words(metric, metric.replace("_", " "), unit_interval=False)
    if not prefix:
        return known
    null = known.null and f"{prefix}/{known.null}"
    return Words(
        f"{known.name} ({prefix})", f"{known.title}, {prefix}", known.reading, known.kind, null, known.unit_interval
    )


def layer_metrics(rows: pd.DataFrame) -> list[str]:
    """List the metrics that have a value per layer, the well-known first; no nulls, language pairs or breakdowns."""
    of_layers = rows[(rows["layer"] != "") & (rows["language"] == "") & (rows["other"] == "")]
    found = of_layers["metric"].unique()
    nulls = {words_of(metric).null for metric in found}
    nulls |= {metric for metric in found if metric.endswith(("_null", "_control"))}
    whole = {metric.rpartition("/")[0] for metric in found} & set(found)
    plain = [metric for metric in found if metric not in nulls and metric.rpartition("/")[0] not in whole]
    return sorted(plain, key=lambda metric: (ORDER.get(metric, len(ORDER)), metric))


def plain(text: object) -> str:
    """Escape a name for plotly, which reads a little HTML in its texts."""
    return escape(str(text), quote=False)
