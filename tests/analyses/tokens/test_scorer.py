"""The names of rows that are written beside those of layers while a model trains."""

import torch

from babelscope.analyses.tokens.scorer import TokenScorer
from babelscope.analyses.tokens.translations import single_tokens
from babelscope.metrics import isotropy, score
from babelscope.metrics.sample import LayerSample
from babelscope.report.table import read, write
from babelscope.report.words import WORDS, layer_metrics, words_of
from tests.models.tiny import tiny_tokenizer
from tests.training.runs import PROBED


def test_rows_of_tokens_and_of_layers_share_a_folder(tmp_path):
    scorer = TokenScorer(PROBED, tiny_tokenizer(), k=5, probe=True)
    scorer.dictionaries = {("eng_Latn", "deu_Latn"): {"a": {"b"}}}
    scorer.lookup = single_tokens(tiny_tokenizer(), scorer.vocabulary.pieces, ["a", "b"])
    draw = torch.Generator().manual_seed(0)
    tokens = scorer(torch.randn(len(scorer.vocabulary.labels), 8, generator=draw))
    place = torch.arange(6)
    sample = LayerSample(torch.randn(6, 4, generator=draw), place // 3, place % 3, ("eng_Latn", "deu_Latn"))
    layers = score([("0", sample)], {"isotropy": isotropy})
    keys = {"run": "r", "step": 0, "epoch": 0}
    write(tmp_path, "layers", [keys | row for row in layers])
    write(tmp_path, "tokens", [keys | row for row in tokens])
    rows = read(tmp_path)
    assert {"isoscore", "token_isoscore", "token_mean_cosine", "token_variance"} <= set(layer_metrics(rows))
    # no name that a score of layers has words for, or might be given later
    assert not {row["metric"] for row in tokens} & {"isoscore", "mean_cosine", "variance", "random_cosine"}
    assert not {row["metric"] for row in tokens} & {name for name in WORDS if not name.startswith("token_")}


def test_what_tokens_are_scored_by_is_said_in_words():
    for name in ("token_isoscore", "token_mean_cosine", "token_variance"):
        assert "token" in words_of(name).title
        assert words_of(name).reading
