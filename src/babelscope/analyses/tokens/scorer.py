"""The scores of a token table that are quick enough to be taken while a model trains."""

from typing import Any

from torch import Tensor

from babelscope.analyses.rows import Rows
from babelscope.analyses.tokens.neighbours import count_scripts, draw_tokens, find_neighbours
from babelscope.analyses.tokens.script_probe import script_probe
from babelscope.analyses.tokens.study import least_tokens
from babelscope.analyses.tokens.token_rows import describe, token_rows
from babelscope.analyses.tokens.translations import covers, single_tokens, translate, words_in
from babelscope.analyses.tokens.vocabulary import label_tokens
from babelscope.data.corpora import Corpus
from babelscope.data.lab import LANGUAGES, dictionary
from babelscope.data.pieces import decode_pieces

RENAMED = {name: f"token_{name}" for name in ("isoscore", "mean_cosine", "variance")}
"""What a score of layers may be called, too: the input of block 0 has the same number as the token table."""


class TokenScorer:
    """Score one table after another, all of one vocabulary, by the functions of `babelscope tokens`.

    Args:
        corpus: Its languages are translated between, where it is the lab's; any other gives no dictionary.
        tokenizer: The model's tokenizer.
        k: Neighbours among which scripts are counted; lowered to the tokens less one.
        sample: Share of the tokens whose neighbours are sought.
        probe: Whether to probe the scripts, too, which takes longer than all else.
        seed: Of the sample.
    """

    def __init__(
        self, corpus: Corpus, tokenizer: Any, *, k: int = 50, sample: float = 0.1, probe: bool = False, seed: int = 0
    ):
        self.vocabulary = label_tokens(decode_pieces(tokenizer))
        languages = [code for code in corpus.languages if code in LANGUAGES] if corpus.name == "lab" else []
        self.dictionaries = {(a, b): dictionary(a, b) for a in languages for b in languages if a != b}
        self.lookup = single_tokens(tokenizer, self.vocabulary.pieces, words_in(self.dictionaries))
        self.k, self.sample, self.probe, self.seed = k, sample, probe, seed

    def __call__(self, table: Tensor) -> Rows:
        """Score a table (V, D); rows without run, step and epoch, and without those of pairs."""
        tokens = token_rows(table, self.vocabulary.labels)
        ids = draw_tokens(tokens, self.sample, seed=self.seed)
        near = min(self.k, len(tokens.ids) - 1)
        rows = describe(tokens) + count_scripts(tokens, [find_neighbours(tokens, ids, near)], k=[near])
        if covers(tokens, self.dictionaries, self.lookup):
            rows += translate(tokens, self.dictionaries, self.lookup, k=[1], examples=0).rows
        if self.probe:
            rows += script_probe(tokens, minimum=least_tokens(tokens, 10), limit=1000, draws=1)
        return [{**row, "metric": RENAMED.get(row["metric"], row["metric"])} for row in rows if not row["other"]]
