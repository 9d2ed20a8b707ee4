"""Meanings, and the small grammar that renders them in each language.

The result is a controlled language, not a natural one: every word has one form (a verb that of "she sees"), and there
is no agreement, case, article or preposition. What a language keeps of its own is its words, its writing system, its
order of words, its spaces (or none) and its full stop.
"""

from collections import Counter
from dataclasses import dataclass
from random import Random

from babelscope.data.lab.lexicon import ANY, CONCEPTS, TOPICS, concepts, read_table
from babelscope.data.reading import check_languages

SETTINGS = {row["language"]: row for row in read_table("languages.tsv")}
CHOICES = {
    (topic, category): concepts(topic, category)
    for topic in (*TOPICS, ANY)
    for category in ("agent", "verb", "object", "adjective", "place", "time")
}
# Shares of neutral words and of words of other topics: without the latter, naive Bayes is right about every sentence,
# because objects are never neutral; with them it is right about 98 per cent of the test split.
NEUTRAL = 0.25
STRAY = 0.25
MOST = 100_000


@dataclass(frozen=True)
class Meaning:
    """The content of a sentence, by names of concepts; more of its words belong to its topic than to any other."""

    topic: str
    agent: str
    verb: str
    object: str
    adjective: str
    place: str | None = None
    time: str | None = None


def render(meaning: Meaning, language: str) -> str:
    """Say a meaning in a language, by its row of ``languages.tsv``.

    Raises:
        ValueError: if the lab lacks the language.
    """
    words = [word for _, word in words_of(meaning, language)]
    separator = " " if SETTINGS[language]["spaces"] == "yes" else ""
    return begin(separator.join(words)) + SETTINGS[language]["stop"]


def words_of(meaning: Meaning, language: str) -> list[tuple[str, str]]:
    """Say a meaning in a language: the slot of every word, such as agent, and the word, in their order.

    Raises:
        ValueError: if the lab lacks the language.
    """
    if language not in SETTINGS:
        check_languages([language], SETTINGS, place="the lab")
    slots = [(slot, getattr(meaning, slot)) for slot in SETTINGS[language]["order"].split()]
    return [(slot, CONCEPTS[name].words[language]) for slot, name in slots if name is not None]


def begin(text: str) -> str:
    """Write a text as the beginning of a sentence."""
    # title case, because the upper case of Georgian is a style of its own, which no sentence begins with
    return text[:1].title() + text[1:]


def meanings(n: int, *, seed: int) -> list[Meaning]:
    """Draw distinct meanings, topics in turn; a longer list begins with the shorter one of the same seed.

    Agent, verb, adjective and place are neutral at times, and any but the time can stray to another topic, so that
    a topic is learnable from its words but none of them settles it. Place and time occur in every second sentence.

    Args:
        n: how many; there are more than the `MOST` that can be asked for.
        seed: of the choice.

    Raises:
        ValueError: if n is negative or too large.
    """
    if not 0 <= n <= MOST:
        raise ValueError(f"Expected the lab's number of sentences to be at most {MOST}, but got {n}; ask for fewer")
    random = Random(seed)
    drawn: dict[Meaning, None] = {}
    while len(drawn) < n:
        meaning = _draw(random, TOPICS[len(drawn) % len(TOPICS)])
        if _is_about(meaning):
            drawn[meaning] = None
    return list(drawn)


def _draw(random: Random, topic: str) -> Meaning:
    def choose(category: str) -> str:
        chance = random.random()
        if chance < STRAY:
            source = random.choice([other for other in TOPICS if other != topic])
        elif chance < STRAY + NEUTRAL and CHOICES[ANY, category]:
            source = ANY
        else:
            source = topic
        return random.choice(CHOICES[source, category])

    return Meaning(
        topic,
        agent=choose("agent"),
        verb=choose("verb"),
        object=choose("object"),
        adjective=choose("adjective"),
        place=choose("place") if random.random() < 0.5 else None,
        time=random.choice(CHOICES[ANY, "time"]) if random.random() < 0.5 else None,
    )


def _is_about(meaning: Meaning) -> bool:
    """Return whether at least two words are of the meaning's topic, and fewer of any other."""
    words = (meaning.agent, meaning.verb, meaning.object, meaning.adjective, meaning.place)
    counts = Counter(CONCEPTS[name].topic for name in words if name is not None)
    own = counts.pop(meaning.topic, 0)
    counts.pop(ANY, None)
    return own >= 2 and own > max(counts.values(), default=0)
