from functools import partial

import pytest
import torch
from peft import LoraConfig, get_peft_model

from babelscope.analyses.tokens.scorer import TokenScorer
from babelscope.analyses.tokens.translations import single_tokens
from babelscope.models.parts import parts_of
from babelscope.models.table import read_table
from babelscope.report.table import read
from babelscope.training.export import ExportModel
from babelscope.training.token_scores import TokenScores
from tests.models.tiny import tiny_model, tiny_tokenizer
from tests.training.runs import PROBED, fit, make_data, make_module, make_trainer, points, same

STEPS = 4
SCORER = partial(TokenScorer, k=5)


def test_rows_at_step_0_and_every_validation_epoch(tmp_path):
    scores = TokenScores(SCORER, PROBED, tiny_tokenizer(), folder=tmp_path / "run", run="r")
    fit(tmp_path, scores)
    assert points(scores.rows) == [(0, 0), (STEPS, 1), (2 * STEPS, 2)]
    assert {"neighbour_scripts@5", "token_isoscore", "tokens"} <= {row["metric"] for row in scores.rows}
    assert {row["layer"] for row in scores.rows} == {"0"}
    assert len(read(tmp_path / "run")) == len(scores.rows)


def test_rows_at_the_end_of_epochs_of_a_training_without_validation(tmp_path):
    scores = TokenScores(SCORER, PROBED, tiny_tokenizer(), every_n_epochs=2)
    fit(tmp_path, scores, limit_val_batches=0)
    assert points(scores.rows) == [(0, 0), (2 * STEPS, 2)]


def test_training_is_as_without_it(tmp_path):
    torch.manual_seed(0)
    alone = fit(tmp_path / "alone")
    torch.manual_seed(0)
    assert same(alone, fit(tmp_path / "scored", TokenScores(SCORER, PROBED, tiny_tokenizer())))


def test_online_is_offline(tmp_path):
    scores = TokenScores(SCORER, PROBED, tiny_tokenizer())
    fit(tmp_path, scores, ExportModel(tiny_tokenizer(), folder=tmp_path / "run", every_n_epochs=1))
    table = read_table(tmp_path / "run" / "model", revision=f"step={STEPS}")
    online = [row for row in scores.rows if row["step"] == STEPS]
    assert [{**row, "run": "", "step": STEPS, "epoch": 1} for row in scores.score(table.weight)] == online


def test_translations_of_the_lab_are_scored():
    tokenizer = tiny_tokenizer()
    scores = TokenScorer(PROBED, tokenizer, k=5)
    words = [text for text in scores.vocabulary.texts if text]
    scores.dictionaries = {("eng_Latn", "deu_Latn"): {words[0]: {words[1]}}}
    scores.lookup = single_tokens(tokenizer, scores.vocabulary.pieces, words)
    rows = scores(torch.randn(len(scores.vocabulary.labels), 8, generator=torch.Generator().manual_seed(0)))
    assert "translation_p@1" in {row["metric"] for row in rows}


@pytest.mark.parametrize(
    "adapter",
    [
        LoraConfig(target_modules=["word_embeddings"], r=2),
        LoraConfig(target_modules=["query"], trainable_token_indices=[9, 10]),
    ],
    ids=["lora", "tokens"],
)
def test_a_table_with_an_adapter_is_refused_before_training(adapter, tmp_path):
    scores = TokenScores(SCORER, PROBED, tiny_tokenizer(), folder=tmp_path / "run")
    model = get_peft_model(tiny_model("xlm-roberta", "classification"), adapter)
    with pytest.raises(
        ValueError, match=r"leave the token table as it is, but it has one of peft\..*; leave"
    ) as caught:
        make_trainer(tmp_path, scores).fit(make_module(model), make_data())
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_table_that_is_trained_whole_is_read(tmp_path):
    whole = LoraConfig(target_modules=["query"], modules_to_save=["word_embeddings"])
    model, scores = (
        get_peft_model(tiny_model("xlm-roberta", "classification"), whole),
        TokenScores(SCORER, PROBED, tiny_tokenizer()),
    )
    make_trainer(tmp_path, scores, max_epochs=1).fit(make_module(model), make_data())
    table = parts_of(model).tokens.modules_to_save["default"].weight.detach()
    last = [row for row in scores.rows if row["step"] == STEPS]
    assert last == [{**row, "run": "", "step": STEPS, "epoch": 1} for row in scores.score(table)]
