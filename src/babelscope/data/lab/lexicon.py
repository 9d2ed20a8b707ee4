"""The lab's concepts, with one word for each in every language."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

from babelscope.data.reading import check_languages

ANY = "any"


@dataclass(frozen=True)
class Concept:
    """One meaning of a content word.

    Attributes:
        name: its name in meanings.
        topic: one of `TOPICS`, or "any" for a word that says nothing about the topic.
        category: agent, verb, object, adjective, place or time.
        words: by FLORES code, its only word.
    """

    name: str
    topic: str
    category: str
    words: Mapping[str, str]


def read_table(name: str) -> list[dict[str, str]]:
    """Read one of the tab-separated tables beside this file, as one record per row."""
    lines = (files(__package__) / name).read_text(encoding="utf-8").splitlines()
    return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


def _read_concepts() -> dict[str, Concept]:
    rows = read_table("lexicon.tsv")
    return {row["concept"]: Concept(row.pop("concept"), row.pop("topic"), row.pop("category"), row) for row in rows}


CONCEPTS: Mapping[str, Concept] = _read_concepts()
LANGUAGES: tuple[str, ...] = tuple(next(iter(CONCEPTS.values())).words)
TOPICS: tuple[str, ...] = tuple(dict.fromkeys(concept.topic for concept in CONCEPTS.values() if concept.topic != ANY))


def concepts(topic: str, category: str) -> tuple[str, ...]:
    """Return the names of a topic's concepts of one category, in the order of the table."""
    return tuple(name for name, concept in CONCEPTS.items() if (concept.topic, concept.category) == (topic, category))


def dictionary(source: str, target: str) -> dict[str, set[str]]:
    """Return the gold translations of every source word.

    Args:
        source: FLORES code of the keys.
        target: FLORES code of the values.

    Raises:
        ValueError: if the lab lacks a language.
    """
    check_languages([source], LANGUAGES, place="the lab")
    check_languages([target], LANGUAGES, place="the lab")
    translations: dict[str, set[str]] = {}
    for concept in CONCEPTS.values():
        translations.setdefault(concept.words[source], set()).add(concept.words[target])
    return translations
