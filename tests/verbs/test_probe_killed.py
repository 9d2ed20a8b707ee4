"""A probe that ends before its last layer keeps the finished ones, and the same command goes on from them."""

from importlib import import_module
from pathlib import Path

import pytest

from babelscope.metrics import together
from babelscope.verbs.folder import scored_layers
from tests.models.tiny import DEPTH, save_checkpoint
from tests.verbs.command import FIVE, babelscope, says, written

pytestmark = pytest.mark.usefixtures("somewhere")
SCORE = scored_layers.score
LAYERS = [str(layer) for layer in range(DEPTH + 1)]
KEPT = scored_layers.place_of(Path("run"))
FINISHED = ["manifest.json", "report.html", "results", "results/layers-00000000.parquet", "run.yaml"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return save_checkpoint(tmp_path_factory.mktemp("killed") / "tiny", "xlm-roberta")


@pytest.fixture
def dies(monkeypatch):
    """Let the command end at a layer; gives the layers that it measures, of which each is large enough to be alone."""
    monkeypatch.setattr(together, "MAX_NUMBERS", 1)
    measured = []

    def at(place, error=KeyboardInterrupt):
        measured.clear()

        def score(group, *given, **options):
            measured.extend(layer for layer, _ in group)
            if measured[-1] == place:
                raise error
            return SCORE(group, *given, **options)

        monkeypatch.setattr(scored_layers, "score", score)
        return measured

    return at


def probe(tiny, *overrides, output="run"):
    own = ("sentences=12", "metrics=[ilo,mexa]", f"languages.codes={FIVE}", f"output={output}")
    return babelscope("probe", f"model.checkpoint={tiny}", *own, *overrides)


def test_the_same_command_goes_on_from_the_finished_layers(tiny, dies):
    dies("2")
    assert probe(tiny).code == 130
    assert written(KEPT) == ["000.parquet", "001.parquet"]
    measured = dies(None)
    ended = probe(tiny)
    assert (ended.code, ended.err, measured) == (0, "", LAYERS[2:])
    assert f"Resuming after 2 of {len(LAYERS)} layers\n" in ended.out
    assert written(Path("run")) == FINISHED
    whole = probe(tiny, output="other/run")
    assert measured == LAYERS[2:] + LAYERS
    assert Path("run", *FINISHED[3].split("/")).read_bytes() == Path("other/run", FINISHED[3]).read_bytes()
    table = [out.partition("Every layer")[2].partition("Wrote")[0] for out in (ended.out, whole.out)]
    assert table[0] == table[1] != ""


def test_it_is_no_run_until_then(tiny, dies):
    dies("1")
    probe(tiny)
    for verb in ("report", "runs"):
        ended = babelscope(verb, "runs=run" if verb == "report" else "run")
        assert ended.code == 2, ended.out
        says(ended.err, "Expected")


@pytest.mark.parametrize("change", ["metrics=[ilo]", "metrics.ilo.k=3", "seed=1", "model.dtype=bfloat16"])
def test_another_command_begins_anew(tiny, dies, change):
    dies("2")
    probe(tiny)
    measured = dies("1")
    ended = probe(tiny, change)
    assert "Resuming" not in ended.out
    assert measured == LAYERS[:2]
    assert written(KEPT) == ["000.parquet"]


def test_other_weights_of_the_same_name_begin_anew(tiny, dies, somewhere):
    save_checkpoint(somewhere / "mine", "xlm-roberta")
    dies("2")
    probe("mine")
    save_checkpoint(somewhere / "mine", "xlm-roberta", seed=5)
    measured = dies(None)
    probe("mine")
    assert measured == LAYERS


def test_a_part_of_something_else_is_removed(tiny, dies):
    dies("2")
    probe(tiny)
    (KEPT / "001.parquet").write_bytes(b"other")
    measured = dies(None)
    assert probe(tiny).code == 0
    assert measured == LAYERS[1:]
    assert written(Path("run")) == FINISHED
    assert not KEPT.exists()


def test_drift_goes_on_with_the_same_start_only(tiny, dies, somewhere):
    given = ("metrics=drift", "metrics.drift.k=3")
    starts = [save_checkpoint(somewhere / f"start{seed}", "xlm-roberta", seed=seed) for seed in (5, 6)]
    dies("2")
    assert probe(tiny, *given, f"start={starts[0]}").code == 130
    measured = dies(None)
    assert probe(tiny, *given, f"start={starts[0]}").code == 0
    assert measured == LAYERS[2:]
    dies("2")
    assert probe(tiny, *given, f"start={starts[0]}").code == 130
    save_checkpoint(starts[0], "xlm-roberta", seed=6)
    measured = dies(None)
    assert probe(tiny, *given, f"start={starts[0]}").code == 0
    assert measured == LAYERS


def test_a_finished_run_stays_whole_while_it_is_repeated(tiny, dies):
    dies(None)
    probe(tiny)
    before = {name: Path("run", name).read_bytes() for name in FINISHED if Path("run", name).is_file()}
    dies("2")
    assert probe(tiny).code == 130
    assert {name: Path("run", name).read_bytes() for name in before} == before
    assert babelscope("report", "runs=run").code == 0


def test_a_metric_of_your_own_that_was_changed_begins_anew(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "metric_of_mine.py"
    file.write_text("def mine(sample):\n    return {}\n")
    metrics = {"mine": import_module("metric_of_mine").mine}
    before = scored_layers._code_of(metrics)
    assert before == scored_layers._code_of(metrics)
    file.write_text("def mine(sample):\n    return {'x': sample.x.mean()}\n")
    assert scored_layers._code_of(metrics) != before
