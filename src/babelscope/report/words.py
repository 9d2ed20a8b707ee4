"""What metrics are called and how they are read, in words for people."""

from dataclasses import dataclass
from html import escape
from typing import Literal

import pandas as pd

from babelscope.report.neurons.words import NEURON_WORDS

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
        "It does not check that those neighbours are translations: if neighbours' languages were random, ILO would "
        "equal the mixing null (dashed line).",
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
    "mexa": Words(
        "MEXA",
        "MEXA: translations nearer than any other sentence (share, 0 to 1)",
        "MEXA is the share of sentences whose translation in the pivot language is nearer than every non-translation, "
        "seen from both sides: 1 means that all translations found each other.",
        "alignment",
        "mexa_null",
    ),
    "retrieval": Words(
        "retrieval",
        "Retrieval: the nearest sentence is the translation (P@1, 0 to 1)",
        "The share of sentences whose nearest sentence in the pivot language, or the other way round, is their "
        "translation.",
        "alignment",
        "retrieval_null",
    ),
    "csls": Words(
        "CSLS retrieval",
        "Retrieval corrected for hubs (CSLS, P@1, 0 to 1)",
        "Retrieval after distances are corrected for sentences that are everyone's neighbours. Far above plain "
        "retrieval means that hubs hid translations.",
        "alignment",
        "retrieval_null",
    ),
    "retrieval_to": Words(
        "retrieval from the pivot", "Retrieval from the pivot language (P@1, 0 to 1)", "", "alignment", "retrieval_null"
    ),
    "retrieval_from": Words(
        "retrieval to the pivot", "Retrieval into the pivot language (P@1, 0 to 1)", "", "alignment", "retrieval_null"
    ),
    "csls_to": Words(
        "CSLS from the pivot", "CSLS retrieval from the pivot language (P@1, 0 to 1)", "", "alignment", "retrieval_null"
    ),
    "csls_from": Words(
        "CSLS to the pivot", "CSLS retrieval into the pivot language (P@1, 0 to 1)", "", "alignment", "retrieval_null"
    ),
    "hubness": Words(
        "hubness",
        "Hubness: skewness of how often a sentence is a neighbour",
        "Near 0, all sentences are neighbours about equally often; far above it, a few hubs are everyone's neighbours.",
        unit_interval=False,
    ),
    "cka": Words(
        "CKA",
        "Similarity of two languages' geometry (debiased linear CKA)",
        "CKA compares how the same sentences lie to each other in two languages: 1 is the same up to rotation and "
        "scale, 0 is chance. It does not ask whether the two lie in the same place.",
        "alignment",
        "cka_null",
        unit_interval=False,
    ),
    "mutual_knn": Words(
        "mutual neighbours",
        "Neighbours that two languages have in common (share, 0 to 1)",
        "The share of a sentence's nearest sentences that its translation has as well, each within its own language.",
        "alignment",
        "mutual_knn_null",
    ),
    "drift_knn": Words(
        "neighbours kept",
        "Drift: neighbours kept since step 0 (share, 0 to 1)",
        "The share of a sentence's neighbours in its own language that it had before fine-tuning: 1 has not moved.",
        "alignment",
        "drift_knn_null",
    ),
    "drift_cka": Words(
        "geometry kept",
        "Drift: similarity to the states at step 0 (debiased linear CKA)",
        "How much of the way in which a language's sentences lie to each other is as before fine-tuning: 1 has not "
        "moved.",
        "alignment",
        unit_interval=False,
    ),
    "language_variance": Words(
        "language variance",
        "Variance that lies between language means (share, 0 to 1)",
        "The share of all variance that is explained by which language a sentence is in: near 0, languages lie in one "
        "place.",
        "separability",
        "language_variance_null",
    ),
    "retrieval_shifted": Words(
        "retrieval, means shifted",
        "Retrieval after language means are removed (P@1, 0 to 1)",
        "Far above plain retrieval, translations were only a constant shift away.",
        "alignment",
        "retrieval_null",
    ),
    "retrieval_removed": Words(
        "retrieval, subspace removed",
        "Retrieval after the language subspace is removed (P@1, 0 to 1)",
        "Retrieval once the few directions that tell languages apart are projected away.",
        "alignment",
        "retrieval_null",
    ),
    "separability": Words(
        "separability",
        "Separability of languages by a linear probe (recall, 0 to 1)",
        "Recall of a linear probe that names the language of an unseen sentence: near 1, every language keeps apart. "
        "Chance is the same probe on shuffled labels.",
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
    "separability_shifted": Words(
        "separability, means shifted",
        "Separability after language means are removed (recall, 0 to 1)",
        "What a linear probe still sees of the language once each language's mean is taken off.",
        "separability",
        "separability_control",
    ),
    "separability_removed": Words(
        "separability, subspace removed",
        "Separability after the language subspace is removed (recall, 0 to 1)",
        "What a linear probe still sees of the language once the language subspace is projected away.",
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
    "isoscore": Words(
        "IsoScore",
        "IsoScore: how evenly the variance fills the dimensions (0 to 1)",
        "Near 1, all directions carry the same variance; near 0, one carries it all. A fall warns of a collapse.",
        null="isoscore_null",
    ),
    "token_isoscore": Words(
        "IsoScore of the tokens",
        "IsoScore of the token table: how evenly its variance fills the dimensions (0 to 1)",
        "Near 1, all directions carry the same variance; near 0, one carries it all. Each token counts once, however "
        "rare it is.",
    ),
    "token_mean_cosine": Words(
        "cosine of tokens",
        "Mean cosine of all pairs of tokens in the token table (-1 to 1)",
        "Near 0 in a table that uses all directions; near 1, all tokens point the same way.",
        unit_interval=False,
    ),
    "token_variance": Words(
        "variance of the tokens",
        "Total variance of the token table",
        "The trace of the covariance over all labelled tokens.",
        unit_interval=False,
    ),
    "random_cosine": Words(
        "random cosine",
        "Mean cosine of all pairs of sentences (-1 to 1)",
        "Near 0 in a space that uses all directions; near 1, all sentences point the same way, and cosines say little.",
        unit_interval=False,
    ),
    "total_variance": Words(
        "total variance",
        "Total variance of the states",
        "A guard against collapse: where it falls towards 0, alignment scores rise without anything being aligned.",
        unit_interval=False,
    ),
    "guard_fall": Words(
        "drop",
        "Alignment guard: drop of its score since step 0",
        "Above the guard's tolerance, a layer and all below it go back to their last good weights and are frozen.",
        unit_interval=False,
    ),
    "neighbour_share": Words(
        "share of neighbours", "Languages of the nearest neighbours (share of neighbours, 0 to 1)"
    ),
    "accuracy": Words("accuracy", "accuracy (0 to 1)"),
    "f1": Words("F1", "F1 of spans of tagged words (0 to 1)"),
    "loss": Words("loss", "loss (nats)", unit_interval=False),
}
WORDS |= {name: Words(**said) for name, said in NEURON_WORDS.items()}
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
    nulls |= {metric for metric in found if metric.endswith(("_null", "_control", "_low", "_high"))}
    whole = {metric.rpartition("/")[0] for metric in found} & set(found)
    plain = [metric for metric in found if metric not in nulls and metric.rpartition("/")[0] not in whole]
    plain = [metric for metric in plain if not metric.startswith("guard_")]
    return sorted(plain, key=lambda metric: (ORDER.get(metric, len(ORDER)), metric))


def plain(text: object) -> str:
    """Escape a name for plotly, which reads a little HTML in its texts."""
    return escape(str(text), quote=False)
