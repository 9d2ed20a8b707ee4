"""Score how often the nearest tokens of a word are its translations, by a dictionary."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import comb
from typing import Any

import torch
from torch import Tensor

from babelscope.analyses.rows import Rows
from babelscope.analyses.tokens.token_rows import TokenRows, tidy
from babelscope.data.pieces import BOUNDARY
from babelscope.metrics.search.table_neighbours import table_neighbours

Lookup = Callable[[str], Sequence[int]]
"""Token ids of a word; none if it is not covered, several for the mean of its pieces."""
Dictionaries = Mapping[tuple[str, str], Mapping[str, set[str]]]
"""Gold translations of every source word, by (source language, target language)."""


@dataclass(frozen=True)
class Example:
    """One source word with its nearest words of the target language."""

    source: str
    target: str
    word: str
    gold: tuple[str, ...]
    """Its covered translations."""
    neighbours: tuple[tuple[str, float, bool], ...]
    """Word, cosine, whether it is a translation; nearest first."""


@dataclass(frozen=True)
class Translations:
    """Scores of all language pairs, with examples."""

    rows: Rows
    examples: tuple[Example, ...]


def words_in(dictionaries: Dictionaries) -> set[str]:
    """Return all words of dictionaries, of both sides."""
    return {word for pair in dictionaries.values() for own, gold in pair.items() for word in (own, *gold)}


def single_tokens(tokenizer: Any, pieces: Sequence[str], words: Iterable[str]) -> Lookup:
    """Look up words that their tokenizer makes one token of: within a sentence, else at the beginning of a text.

    A word-boundary mark that is a token by itself is ignored; some tokenizers write one before words of scripts without
    spaces.

    Args:
        tokenizer: Of the model.
        pieces: Every token as it is spelled, with U+2581 before what begins a word.
        words: That may be asked for.
    """
    words = sorted(set(words))
    token_of: dict[str, tuple[int, ...]] = {}
    for before in ("", " ") if words else ():
        written = [before + word for word in words]
        rows = tokenizer(written, add_special_tokens=False, return_attention_mask=False)["input_ids"]
        for word, ids in zip(words, rows, strict=True):
            kept = [i for i in ids if pieces[i] != BOUNDARY]
            if len(kept) == 1 and kept[0] != tokenizer.unk_token_id and (len(ids) == 1 or word not in token_of):
                token_of[word] = (kept[0],)
    return lambda word: token_of.get(word, ())


def covers(tokens: TokenRows, dictionaries: Dictionaries, lookup: Lookup) -> bool:
    """Return whether there is something to score: a word and a translation with a vector each, and not the same one."""
    ids_of = _used(tokens, lookup)
    return any(
        (own := ids_of(word)) and any((theirs := ids_of(other)) and theirs != own for other in gold)
        for pair in dictionaries.values()
        for word, gold in pair.items()
    )


@torch.no_grad()
def translate(
    tokens: TokenRows,
    dictionaries: Dictionaries,
    lookup: Lookup,
    *,
    vocabulary: bool = False,
    k: Sequence[int] = (1, 5, 10),
    examples: int = 20,
) -> Translations:
    """Score how often a translation is among the k nearest words of the target language, by cosine.

    Candidates are the distinct covered words on the target side of the dictionary. A word that is spelled alike on both
    sides is one and the same row of the table: it is no candidate for itself, and a source word whose only covered
    translation is itself counts as not covered.

    Args:
        tokens: Tokens in use.
        dictionaries: Gold translations by (source, target).
        lookup: Token ids of a word: `single_tokens(...)`, or a tokenizer's pieces, whose unit rows are averaged.
        vocabulary: Also score against all tokens in use, for source words that are one token.
        k: Numbers of neighbours.
        examples: Examples kept per pair, in dictionary order.

    Returns:
        Rows, language = source, other = target: translation_coverage (share of the source words with a vector and a
        covered translation), translation_words (their number), translation_candidates, translation_p@K,
        translation_null@K (random neighbours) and, with vocabulary, translation_vocabulary_p@K. Unweighted means over
        the pairs that have a score have both empty. And the examples.

    Raises:
        ValueError: if no pair has a covered word.
    """
    if not k or min(k) < 1:
        raise ValueError(f"Expected argument `k` to hold numbers from 1, but got {list(k)}; 1, 5 and 10 are usual")
    ids_of = _used(tokens, lookup)
    rows: Rows = []
    kept: list[Example] = []
    totals: dict[str, list[float]] = {}
    for (source, target), dictionary in dictionaries.items():
        candidates = {word: ids for word in sorted(set().union(*dictionary.values())) if (ids := ids_of(word))}
        queries = {
            word: (ids, gold)
            for word, translations in dictionary.items()
            if (ids := ids_of(word)) and (gold := {t for t in translations if t in candidates and candidates[t] != ids})
        }
        scores = {"coverage": len(queries) / max(len(dictionary), 1), "words": float(len(queries))}
        if queries:
            scores["candidates"] = float(len(candidates))
            precision, shown = _score_pair(tokens, queries, candidates, k, examples)
            scores |= precision
            kept += [Example(source, target, word, gold, near) for word, gold, near in shown]
            if vocabulary:
                scores |= _score_vocabulary(tokens, queries, candidates, k)
        rows += [tidy(f"translation_{name}", value, source, target) for name, value in scores.items()]
        for name, value in scores.items():
            if name.startswith(("coverage", "p@", "null@", "vocabulary_p@")):
                totals.setdefault(name, []).append(value)
    if not any(name.startswith("p@") for name in totals):
        raise ValueError(
            f"Expected a dictionary with covered pairs, but no word of {len(dictionaries)} language pairs and none of "
            f"its translations are both in the vocabulary; take the mean of pieces or another dictionary"
        )
    rows += [tidy(f"translation_{name}", sum(values) / len(values)) for name, values in totals.items()]
    return Translations(rows, tuple(kept))


def _used(tokens: TokenRows, lookup: Lookup) -> Callable[[str], tuple[int, ...]]:
    """Return a lookup that finds only words whose tokens are all in use."""
    used = set(tokens.ids.tolist())

    def ids_of(word: str) -> tuple[int, ...]:
        ids = tuple(lookup(word))
        return ids if used.issuperset(ids) else ()

    return ids_of


Queries = Mapping[str, tuple[tuple[int, ...], set[str]]]
Shown = tuple[str, tuple[str, ...], tuple[tuple[str, float, bool], ...]]
"""A source word, its covered translations and its nearest words, as in `Example`."""


def _score_pair(
    tokens: TokenRows, queries: Queries, candidates: Mapping[str, tuple[int, ...]], k: Sequence[int], examples: int
) -> tuple[dict[str, float], list[Shown]]:
    words = list(candidates)
    pool = _vectors(tokens, list(candidates.values()))
    points = _vectors(tokens, [ids for ids, _ in queries.values()])
    place: dict[tuple[int, ...], list[int]] = {}
    for number, ids in enumerate(candidates.values()):
        place.setdefault(ids, []).append(number)
    deepest = min(max(k), len(words))
    hits = dict.fromkeys(k, 0.0)
    null = dict.fromkeys(k, 0.0)
    shown: list[Shown] = []
    entries = list(queries.items())
    for start in range(0, len(entries), 1024):
        cosines = points[start : start + 1024] @ pool.T
        for row, (_, (ids, _)) in enumerate(entries[start : start + 1024]):
            if ids in place:
                cosines[row, place[ids]] = -torch.inf
        # A stable sort leaves equal cosines in order of the word.
        near = cosines.sort(dim=1, descending=True, stable=True)
        order, value = near.indices[:, :deepest].tolist(), near.values[:, :deepest].tolist()
        for row, (word, (ids, gold)) in enumerate(entries[start : start + 1024]):
            right = [words[j] in gold for j in order[row]]
            others = len(words) - len(place.get(ids, ()))
            for depth in k:
                hits[depth] += any(right[:depth])
                null[depth] += 1 - comb(others - len(gold), depth) / comb(others, depth) if depth <= others else 1
            if len(shown) < examples:
                near_words = [
                    (words[j], cosine, hit) for j, cosine, hit in zip(order[row], value[row], right, strict=True)
                ]
                shown.append((word, tuple(sorted(gold)), tuple(n for n in near_words if n[1] > -torch.inf)))
    count = len(entries)
    return {f"p@{s}": hits[s] / count for s in k} | {f"null@{s}": null[s] / count for s in k}, shown


def _score_vocabulary(
    tokens: TokenRows, queries: Queries, candidates: Mapping[str, tuple[int, ...]], k: Sequence[int]
) -> dict[str, float]:
    """P@k among all tokens in use, of the source words that are one token."""
    golds: dict[int, set[int]] = {}
    for ids, gold in queries.values():
        if len(ids) == 1:
            golds.setdefault(ids[0], set()).update(candidates[word][0] for word in gold if len(candidates[word]) == 1)
    deepest = min(max(k), len(tokens.ids) - 1)
    if not golds or deepest < 1:
        return {}
    hits = dict.fromkeys(k, 0)
    for queried, _, neighbours in table_neighbours(tokens.table, torch.tensor(list(golds)), deepest, rows=tokens.ids):
        for token, near in zip(queried.tolist(), neighbours.tolist(), strict=True):
            right = [j in golds[token] for j in near]
            for depth in k:
                hits[depth] += any(right[:depth])
    return {f"vocabulary_p@{depth}": hits[depth] / len(golds) for depth in k}


def _vectors(tokens: TokenRows, groups: Sequence[tuple[int, ...]]) -> Tensor:
    """(W, D) float32 directions of words, each the mean of its tokens' directions."""
    owner = torch.repeat_interleave(torch.tensor([len(group) for group in groups]))
    ids = torch.tensor([token for group in groups for token in group])
    total = torch.zeros(len(groups), tokens.table.shape[1])
    for chunk, owners in zip(ids.split(4096), owner.split(4096), strict=True):
        total.index_add_(0, owners, tokens.unit(chunk))
    return torch.nn.functional.normalize(total, dim=1)
