"""`babelscope train` with the callback of FFN neurons, as its YAML builds it."""

import pandas as pd
import pytest

from babelscope.report.table import read_run
from babelscope.training.neuron_scores import NeuronScores
from tests.models.tiny import DEPTH, save_checkpoint
from tests.training.runs import StopError
from tests.verbs.command import babelscope, written

SIX = ("eng_Latn", "deu_Latn", "fra_Latn", "rus_Cyrl", "zho_Hans", "arb_Arab")
LAYERS = [str(i) for i in range(1, DEPTH + 1)]


def train(folder, *overrides):
    checkpoint = folder / "tiny"
    if not checkpoint.exists():
        save_checkpoint(checkpoint, "xlm-roberta", "lm", depth=DEPTH)
    return babelscope(
        *("train", f"model.checkpoint={checkpoint}", f"languages.codes=[{','.join(SIX)}]", "sentences=8"),
        *("callbacks=[neuron_scores,task_scores,checkpoint]", "metrics=ilo", "trainer=smoke", "trainer.max_epochs=2"),
        *("logger=none", "optimizer.lr=0.01", "warmup=0", f"output={folder / 'run'}", *overrides),
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("neuron_scores")
    ended = train(folder)
    assert (ended.code, ended.err) == (0, "")
    return folder


def test_rows_at_step_0_and_after_each_epoch(folder):
    rows = read_run(folder / "run").rows
    whole = rows[(rows["layer"] == "") & (rows["language"] == "") & (rows["other"] == "")]
    table = whole.pivot_table(index="metric", columns=["step", "epoch"], values="value")
    assert list(table) == [(0, 0), (2, 1), (4, 2)]
    assert table.loc[["down_input/lrds", "down_input/sads", "down_input/z_neurons"]].notna().all(axis=None)
    kept = rows[(rows["metric"] == "down_input/z_kept") & (rows["language"] != "")]
    assert set(kept["step"]) == {2, 4}
    assert set(kept["language"]) <= set(SIX)
    assert kept["value"].between(0, 1).all()
    first, last = table.loc["down_input/z_kept"].dropna()
    assert 0 < first < 1  # a rate of 0.01 moves a tiny model
    assert 0 < last < 1
    lrds = rows[(rows["metric"] == "down_input/lrds") & (rows["language"] == "")]
    assert set(lrds["layer"]) == {"", *LAYERS}


def test_a_report_on_it(folder):
    ended = babelscope("report", f"runs={folder / 'run'}", f"page={folder / 'page.html'}")
    assert (ended.code, ended.err) == (0, "")
    assert "<html" in (folder / "page.html").read_text()[:200]


def test_an_interrupted_run_that_is_repeated_is_as_if_it_were_not(folder, tmp_path, monkeypatch):
    def stop(self, trainer, *args):
        if trainer.current_epoch == 1:
            raise StopError

    (tmp_path / "tiny").symlink_to(folder / "tiny")
    with monkeypatch.context() as patch:
        patch.setattr(NeuronScores, "on_train_batch_end", stop)
        stopped = train(tmp_path)
    assert stopped.code == 1
    assert "StopError" in stopped.err
    assert read_run(tmp_path / "run").rows["step"].max() == 2
    ended = train(tmp_path)
    assert (ended.code, ended.err) == (0, "")
    pd.testing.assert_frame_equal(read_run(tmp_path / "run").rows, read_run(folder / "run").rows)


def test_both_readings_in_one_run(folder, tmp_path):
    (tmp_path / "tiny").symlink_to(folder / "tiny")
    gate = {
        "_target_": "babelscope.training.neuron_scores.NeuronScores",
        "_partial_": "true",
        "reading": "gate",
        "scorer._target_": "babelscope.analyses.neurons.study.score_activations",
        "scorer._partial_": "true",
        "scorer.reading": "gate",
    }
    added = (f"+callbacks.at_gate.{key}={value}" for key, value in gate.items())
    ended = train(tmp_path, *added, "trainer.max_epochs=1")
    assert (ended.code, ended.err) == (0, "")
    rows = read_run(tmp_path / "run").rows
    counts = rows.groupby(rows["metric"].str.split("/").str[0]).size()
    assert counts["gate"] == counts["down_input"] > 0


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("callbacks.neuron_scores.scorer.threshold=2.3", "`threshold` to be below 2.236"),
        ("languages.codes=[eng_Latn,deu_Latn]", "`threshold` to be below 1.000"),
        ("callbacks.neuron_scores.reading=states", "reading` to be 'down_input' or 'gate', but got 'states'"),
        ("+callbacks.neuron_scores.scorer.treshold=1", "but got `treshold`"),
    ],
)
def test_what_a_user_can_mend_is_one_line_before_anything_is_trained(folder, tmp_path, override, message):
    (tmp_path / "tiny").symlink_to(folder / "tiny")
    ended = train(tmp_path, override)
    assert ended.code == 2
    (line,) = ended.lines
    assert message in line
    assert not [path for path in written(tmp_path) if path.startswith("run/results")]
