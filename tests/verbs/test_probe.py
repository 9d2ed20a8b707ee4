import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from babelscope.data.loaders import sib200
from babelscope.models.load import load
from babelscope.report.table import read_run
from babelscope.states import store
from babelscope.states.embed import embed_into
from tests.models.tiny import DEPTH, save_checkpoint
from tests.verbs.command import FIVE, babelscope

pytestmark = pytest.mark.usefixtures("somewhere")

SIB200 = Path(__file__).parents[3] / "shared" / "data" / "sib200"
CODES = FIVE.strip("[]").split(",")
FINAL = {"xlm-roberta": [], "mt5": ["final"], "bloom": ["final"], "llama": ["final"], "gpt2": ["final"], "bert": []}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return save_checkpoint(tmp_path_factory.mktemp("probe") / "tiny", "xlm-roberta")


def probe(checkpoint, *overrides, output="run"):
    ended = babelscope(
        *("probe", f"model.checkpoint={checkpoint}", f"languages.codes={FIVE}", "sentences=12", "metrics=ilo"),
        *(f"output={output}", *overrides),
    )
    assert (ended.code, ended.err) == (0, ""), ended.err
    return read_run(Path(output))


def values(run, metric="ilo"):
    return run.rows.loc[run.rows["metric"] == metric, "value"].to_numpy()


@pytest.mark.parametrize("kind", FINAL)
def test_rows_are_complete(kind, somewhere):
    run = probe(save_checkpoint(somewhere / kind, kind), "metrics=[ilo,separability,knn_lid]")
    layers = [*map(str, range(DEPTH + 1)), *FINAL[kind]]
    assert list(dict.fromkeys(run.rows["layer"])) == layers
    for metric in ("ilo", "bridge", "reach"):
        for layer in layers:
            of = run.rows[(run.rows["metric"] == metric) & (run.rows["layer"] == layer)]
            assert sorted(of["language"]) == sorted([*CODES, ""])
            mean = of.query("language == ''")["value"].item()
            assert mean == pytest.approx(of.query("language != ''")["value"].mean())
    counts = run.rows.groupby("metric")["layer"].nunique()
    assert (counts == len(layers)).all()
    assert {"separability", "knn_lid", "ilo_null", "neighbour_share"} <= set(counts.index)
    assert set(run.rows["run"]) == {"run"}
    assert run.manifest["layers"] == layers
    assert run.manifest["model_type"] == kind
    assert run.manifest["corpus"]["languages"] == CODES
    assert run.config["languages"]["codes"] == CODES
    assert (run.folder / "report.html").stat().st_size > 10_000


def test_a_second_run_embeds_nothing(tiny, monkeypatch):
    first = probe(tiny)
    passes = []
    monkeypatch.setattr(store, "embed_into", lambda *args, **keys: passes.append(args))
    second = probe(tiny, "metrics=[ilo,knn_lid]", output="again")
    assert not passes
    assert (values(first) == values(second)).all()


@pytest.mark.parametrize("change", ["pool=published", "model.dtype=bfloat16", "sentences=11", "seed=1"])
def test_a_changed_run_embeds_again(tiny, monkeypatch, change):
    probe(tiny)
    passes = []
    monkeypatch.setattr(store, "embed_into", lambda *args, **keys: passes.append(args) or embed_into(*args, **keys))
    probe(tiny, change, output="again")
    assert passes


def test_the_same_command_is_the_same_folder(tiny):
    given = ("probe", f"model.checkpoint={tiny}", f"languages.codes={FIVE}", "sentences=6", "metrics=knn_lid")
    assert babelscope(*given).code == babelscope(*given).code == 0
    assert len(list(Path("outputs/probe").iterdir())) == 1


def test_pooling_and_neighbours(tiny):
    run = probe(tiny)
    published = probe(tiny, "pool=published", output="published")
    assert published.manifest["pool"] == "published"
    assert not np.array_equal(values(run), values(published))


def test_faiss_finds_the_same_neighbours(tiny):
    pytest.importorskip("faiss")
    assert values(probe(tiny)) == pytest.approx(values(probe(tiny, "neighbours=faiss", output="faiss")), abs=1e-9)


def test_batch_size_changes_nothing(tiny):
    one = probe(tiny, "max_tokens=1", f"store={Path('one').absolute()}")
    assert values(one) == pytest.approx(values(probe(tiny, output="many")), abs=1e-5)


def test_revision_of_a_local_folder(tiny, somewhere):
    folder = shutil.copytree(tiny, somewhere / "kept")
    save_checkpoint(folder / "step=5", "xlm-roberta", seed=5)
    early, last = probe(folder, "model.revision=step=5", output="early"), probe(folder, output="last")
    assert early.manifest["revision"] == "step=5"
    assert early.manifest["weights"] != last.manifest["weights"]
    assert not np.array_equal(values(early), values(last))


def test_a_folder_that_training_made(tiny):
    ended = babelscope(
        *("train", f"model.checkpoint={tiny}", f"languages.codes={FIVE}", "sentences=12", "metrics=ilo"),
        *("trainer=smoke", "logger=none", "+corpus.train=40", "output=trained"),
    )
    assert (ended.code, ended.err) == (0, "")
    online = read_run(Path("trained"))
    offline = probe("trained/model")
    assert offline.config["model"]["name"] == "trained"
    seen = online.rows[online.rows["step"] == online.rows["step"].max()].query("metric == 'ilo'")["value"]
    assert seen.to_numpy() == pytest.approx(values(offline), abs=1e-6)


@pytest.mark.parametrize(
    ("chosen", "columns"),
    [
        ("ilo,separability,knn_lid", "ilo separability knn_lid bridge reach bridge_null ilo_null"),
        ("ilo,mexa,language_subspace,isotropy", "ilo mexa language_variance isoscore bridge reach bridge_null"),
    ],
)
def test_the_table_shows_every_chosen_metric(tiny, chosen, columns):
    small = ("sentences=12", f"languages.codes={FIVE}", "output=run")
    ended = babelscope("probe", f"model.checkpoint={tiny}", f"metrics=[{chosen}]", *small)
    assert (ended.code, ended.err) == (0, "")
    assert ["layer", *columns.split()] in [line.split() for line in ended.out.splitlines()]


def test_drift_between_two_checkpoints(tiny):
    ended = babelscope(
        *("train", f"model.checkpoint={tiny}", f"languages.codes={FIVE}", "sentences=12", "metrics=[ilo,drift]"),
        *("trainer=smoke", "logger=none", "+corpus.train=40", "metrics.drift.k=3", "output=trained"),
    )
    assert (ended.code, ended.err) == (0, "")
    online = read_run(Path("trained")).rows
    online = online[online["step"] == online["step"].max()]
    offline = probe("trained/model", "metrics=[ilo,drift]", "metrics.drift.k=3", f"start={tiny}")
    for metric in ("ilo", "drift_knn", "drift_cka"):
        seen = online.loc[online["metric"] == metric, "value"].to_numpy()
        assert len(seen)
        assert seen == pytest.approx(values(offline, metric), abs=1e-6)
    assert values(offline, "drift_cka").min() < 1
    assert offline.manifest["start"]["model"] == str(tiny)
    assert offline.manifest["start"]["weights"] != offline.manifest["weights"]


def test_drift_between_two_revisions_of_one_checkpoint(tiny, somewhere):
    folder = shutil.copytree(tiny, somewhere / "kept")
    save_checkpoint(folder / "step=5", "xlm-roberta", seed=5)
    given = ("metrics=drift", "metrics.drift.k=3")
    moved = probe(folder, *given, "start_revision=step=5")
    assert values(moved, "drift_knn").min() < 1
    same = probe(folder, *given, "model.revision=step=5", "start_revision=step=5", output="same")
    assert (values(same, "drift_knn") == 1).all()


def test_a_start_may_be_a_name_of_the_configuration(tiny, somewhere):
    own = somewhere / "own" / "model"
    own.mkdir(parents=True)
    (own / "mine.yaml").write_text(f"defaults:\n  - default\n\ncheckpoint: {tiny}\n")
    other = save_checkpoint(somewhere / "other", "xlm-roberta", seed=5)
    given = ("metrics=drift", "metrics.drift.k=3")
    named = probe(other, *given, "start=mine", "--config-dir", own.parent)
    assert named.manifest["start"]["model"] == str(tiny)
    again = probe(other, *given, f"start={tiny}", output="again")
    assert (values(named, "drift_knn") == values(again, "drift_knn")).all()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("metrics=drift", "start=./nowhere"), "Expected `start` to be a folder or a Hub id, but got './nowhere'"),
        (("metrics=[ilo,drift]",), "Expected `start` to be the checkpoint that `drift` compares with, but got null"),
        (("metrics=ilo", "start=somewhere"), "Expected a metric that compares with `start`, but got metrics=[ilo]"),
    ],
)
def test_a_start_that_is_missing_or_idle_is_one_line(tiny, overrides, message):
    ended = babelscope("probe", f"model.checkpoint={tiny}", f"languages.codes={FIVE}", "sentences=12", *overrides)
    assert ended.code == 2
    (line,) = ended.lines
    assert message in line


def test_a_start_of_another_depth_is_one_line(tiny, somewhere):
    other = save_checkpoint(somewhere / "other", "xlm-roberta", depth=2)
    given = ("metrics=drift", "metrics.drift.k=3", f"start={other}", "sentences=12")
    ended = babelscope("probe", f"model.checkpoint={tiny}", f"languages.codes={FIVE}", *given)
    assert ended.code == 2
    (line,) = ended.lines
    assert "the same layers" in line


def published_ilo(checkpoint, corpus, k=5, threshold=3):
    """Every sentence by itself, the mean over all its tokens, cosine neighbours: S2's recipe, layer by layer."""
    loaded = load(checkpoint)
    loaded.model.eval()
    points = []
    for language in corpus.languages:
        for text in corpus.texts[language]:
            with torch.no_grad():
                given = loaded.tokenizer(text, return_tensors="pt")
                hidden = loaded.model(**given, output_hidden_states=True).hidden_states
            points.append(torch.stack([layer[0].mean(dim=0) for layer in hidden]))
    count, languages = len(corpus), len(corpus.languages)
    of = np.repeat(np.arange(languages), count)
    scores = []
    for x in torch.stack(points, dim=1):
        unit = torch.nn.functional.normalize(x.double(), dim=1)
        near = (unit @ unit.T).fill_diagonal_(-2).topk(k).indices.numpy()
        others = [set(of[near[i]]) - {of[i]} for i in range(len(of))]
        for language in range(languages):
            mine = [others[i] for i in np.flatnonzero(of == language)]
            bridge = np.mean([len(met) >= threshold for met in mine])
            reach = len(set().union(*mine)) / (languages - 1)
            scores.append(2 * bridge * reach / (bridge + reach) if bridge * reach else 0.0)
    return np.array(scores).reshape(-1, languages)


@pytest.mark.skipif(not SIB200.is_dir(), reason="SIB-200 is not here")
def test_ilo_is_that_of_the_paper_on_real_text(somewhere):
    checkpoint = save_checkpoint(somewhere / "bert", "bert")
    run = probe(
        checkpoint, "pool=published", "corpus=sib200", f"corpus.folder={SIB200}", "sentences=30", output="published"
    )
    corpus = sib200(CODES, "dev+test", folder=SIB200).subset(30, seed=0)
    assert run.manifest["corpus"]["fingerprint"] == corpus.fingerprint()
    rows = run.rows.query("metric == 'ilo' and language != ''").pivot_table("value", "layer", "language")[CODES]
    assert rows.to_numpy() == pytest.approx(published_ilo(checkpoint, corpus), abs=1e-3)
    assert json.loads((run.folder / "manifest.json").read_text())["pool"] == "published"
