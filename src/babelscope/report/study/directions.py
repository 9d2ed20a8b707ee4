"""Which way a score is better, and which scores speak for a study."""

from babelscope.report.summary import SCORES
from babelscope.report.words import words_of

PRIMARY = ("mexa", "retrieval", "csls", "cka", "mutual_knn", "ilo")
"""Alignment scores that speak for a study, the first measured one first."""


def rank_score(score: str) -> tuple[bool, int, str]:
    """Sort task scores: the one that speaks for a task first, losses last."""
    known = SCORES.index(score) if score in SCORES else len(SCORES)
    return lower_is_better(score), known, score


def lower_is_better(score: str) -> bool:
    """Tell whether a task score falls as the task is learnt."""
    return score == "loss"


def direction_of(metric: str) -> int:
    """Tell which way an alignment score is better: 1 up, -1 down (languages further apart), 0 neither."""
    return {"alignment": 1, "separability": -1}.get(words_of(metric).kind, 0)


def is_headline(metric: str) -> bool:
    """Tell whether up or down is better for a score, and it is no half of another score."""
    parts = {"bridge", "reach"}  # of ILO
    halves = ("_to", "_from", "_shifted", "_removed", "_centred")
    return bool(direction_of(metric)) and metric not in parts and not metric.endswith(halves)
