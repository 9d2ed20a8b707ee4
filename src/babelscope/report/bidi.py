"""Names that are written from right to left, inside text that is not."""

from unicodedata import bidirectional

OPEN, CLOSE = "\u2068", "\u2069"
"""First strong isolate and its end: what stands between them takes no number beside it along, as <bdi> does."""


def isolate(name: object) -> str:
    """Set a name apart that has letters or marks of the other direction; others stay bare, to be searched for."""
    text = str(name)
    turns = any(bidirectional(letter) in ("R", "AL", "RLE", "RLO", "RLI") for letter in text)
    return f"{OPEN}{text}{CLOSE}" if turns else text
