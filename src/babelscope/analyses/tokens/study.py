"""All that is asked of one token table, as rows, with what the neighbour explorer of the page shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from babelscope.analyses.rows import Rows
from babelscope.analyses.tokens.blocks import BlockProgress, find_blocks
from babelscope.analyses.tokens.neighbours import TokenNeighbours, count_scripts, draw_tokens
from babelscope.analyses.tokens.projection import Layout, map_tokens
from babelscope.analyses.tokens.token_rows import TokenRows, describe
from babelscope.analyses.tokens.translations import Dictionaries, Example, Lookup, translate
from babelscope.analyses.tokens.vocabulary import TokenVocabulary

SHARE, LEAST = 0.01, 2000
"""Tokens whose neighbours are sought unless told: S1's share, but at least so many."""
S1_MINIMUM = 500
"""S1's least number of tokens of a script that is probed."""
SHOWN = 15
"""Neighbours per token in the explorer."""
WORDS = 4000
"""Words of the dictionaries that the explorer adds to the sample, at most."""
EXPLORED = 10_000
"""Tokens of a larger sample that the explorer shows: a page has to stay one that a browser opens."""


@dataclass(frozen=True)
class TokenStudy:
    """What was found out about one table."""

    rows: Rows
    examples: tuple[Example, ...]
    explorer: dict[str, Any]
    """Tokens with neighbours and their places on the map, as the page reads them."""


def least_tokens(tokens: TokenRows, folds: int) -> int:
    """Return how many tokens a script needs to be probed: S1's 500, or 1 % of a vocabulary below 50,000."""
    return max(folds, min(S1_MINIMUM, len(tokens.ids) // 100))


def study_tokens(
    tokens: TokenRows,
    vocabulary: TokenVocabulary,
    *,
    k: Sequence[int] = (50, 100),
    sample: float | None = None,
    counts: Sequence[int] | None = None,
    dictionaries: Dictionaries | None = None,
    words: Lookup,
    lookup: Lookup | None = None,
    whole_vocabulary: bool = False,
    layout: Layout = "pca",
    seed: int = 0,
    store: Path,
    progress: BlockProgress,
) -> TokenStudy:
    """Describe a table, count the scripts among its neighbours, and score these as translations.

    Args:
        tokens: Tokens in use.
        vocabulary: Of the same model.
        k: Numbers of neighbours.
        sample: Share of the tokens whose neighbours are sought; None for 1 %, but at least 2,000 tokens.
        counts: Frequency of every token.
        dictionaries: Gold translations; None for no scores.
        words: The token of a word that is one.
        lookup: Tokens of a word; by default of words that are one.
        whole_vocabulary: Score translations among all tokens, too, which reads the table once per language pair.
        layout: Of the map.
        seed: Of the sample.
        store: Folder of this table alone, where each finished block of neighbours is kept.
        progress: For a bar of these blocks.

    Raises:
        ValueError: if an argument does not fit the tokens, or the dictionaries cover none.
    """
    share = min(1.0, max(SHARE, LEAST / len(tokens.ids))) if sample is None else sample
    drawn = draw_tokens(tokens, share, seed=seed)
    gold = _all_pairs(dictionaries or {}, words)
    known = torch.tensor(list(gold)[:WORDS], dtype=torch.int64)
    known = known[torch.isin(known, tokens.ids)]
    ids = torch.cat([drawn, known]).unique()
    blocks = find_blocks(tokens, ids, max(*k, SHOWN), store=store, nearest=SHOWN, progress=progress)
    rows = describe(tokens) + count_scripts(tokens, (block.among(drawn) for block in blocks), k=k, counts=counts)
    examples: tuple[Example, ...] = ()
    if dictionaries:
        done = translate(tokens, dictionaries, lookup or words, vocabulary=whole_vocabulary, examples=3)
        rows, examples = rows + done.rows, done.examples
    shown = _explored(drawn, known, seed)
    found = _joined([block.among(shown) for block in blocks])
    place = map_tokens(tokens, found.ids, layout=layout, seed=seed)
    return TokenStudy(rows, examples, explore(tokens, vocabulary, found, place, gold=gold, layout=layout))


def _explored(drawn: Tensor, words: Tensor, seed: int) -> Tensor:
    """All words of the dictionaries, and of the sample as many tokens as there is room for."""
    room = max(EXPLORED - len(words), 0)
    order = torch.randperm(len(drawn), generator=torch.Generator().manual_seed(seed))
    return torch.cat([drawn[order[:room]], words]).unique()


def _joined(blocks: Sequence[TokenNeighbours]) -> TokenNeighbours:
    return TokenNeighbours(
        torch.cat([block.ids for block in blocks]),
        torch.cat([block.distances for block in blocks]),
        torch.cat([block.neighbours for block in blocks]),
    )


def explore(
    tokens: TokenRows,
    vocabulary: TokenVocabulary,
    explored: TokenNeighbours,
    place: Tensor,
    *,
    gold: Mapping[int, set[int]],
    layout: Layout,
) -> dict[str, Any]:
    """Collect what the neighbour explorer shows, in few characters: words once, numbers as thousandths."""
    near = explored.neighbours[:, :SHOWN].long()
    used = torch.cat([explored.ids, near.flatten()]).unique()
    return {
        "layout": layout,
        "scripts": list(tokens.scripts),
        "pieces": [vocabulary.pieces[i] for i in used.tolist()],
        "script": tokens.codes[used].tolist(),
        "tokens": torch.searchsorted(used, explored.ids).tolist(),
        "near": torch.searchsorted(used, near).tolist(),
        "cosine": ((1 - explored.distances[:, :SHOWN]) * 1000).round().int().tolist(),
        "translation": [
            [rank for rank, other in enumerate(others) if other in gold.get(token, ())]
            for token, others in zip(explored.ids.tolist(), near.tolist(), strict=True)
        ],
        "place": (place / place.abs().max().clamp(min=1e-12) * 1000).round().int().tolist(),
    }


def _all_pairs(dictionaries: Dictionaries, words: Lookup) -> dict[int, set[int]]:
    """Translations of every token that is a word into any language, where they are one token, too."""
    gold: dict[int, set[int]] = {}
    for dictionary in dictionaries.values():
        for word, translations in dictionary.items():
            for token in words(word):
                gold.setdefault(token, set()).update(
                    own for other in translations for own in words(other) if own != token
                )
    return gold
