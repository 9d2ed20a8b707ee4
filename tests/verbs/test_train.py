import json
import os
import re
import subprocess
import sys
from collections import defaultdict

import pandas as pd
import pytest
import yaml
from omegaconf import OmegaConf

from babelscope.data.lab import lab
from babelscope.models.load import load
from babelscope.report.table import read_run
from babelscope.verbs.config.overlap import refuse_overlap
from babelscope.verbs.folder.kept import is_finished
from tests.models.tiny import DEPTH, save_checkpoint
from tests.verbs.command import babelscope as in_process
from tests.verbs.offline import records

LANGUAGES = ("eng_Latn", "deu_Latn", "rus_Cyrl", "zho_Hans", "arb_Arab")
LAYERS = [str(i) for i in range(DEPTH + 1)]


def babelscope(folder, *overrides):
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("WANDB")},
        "BABELSCOPE_CACHE": str(folder / "cache"),
        "CUDA_VISIBLE_DEVICES": "",
        "HF_HUB_OFFLINE": "1",
        "HOME": str(folder),
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", "babelscope", "train", *overrides]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.fixture(scope="module")
def overrides(tmp_path_factory):
    folder = tmp_path_factory.mktemp("train")
    return folder, (
        f"model.checkpoint={save_checkpoint(folder / 'tiny', 'xlm-roberta', 'lm')}",
        "corpus=lab",
        f"languages.codes=[{','.join(LANGUAGES)}]",
        "sentences=20",
        "freeze=early",
        "trainer=smoke",
        "logger=[csv,wandb]",
        f"output={folder / 'run'}",
    )


@pytest.fixture(scope="module")
def run(overrides):
    folder, given = overrides
    done = babelscope(folder, *given)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder / "run", done


def test_a_run_folder_is_whole(run):
    folder, done = run
    found = read_run(folder)
    assert found.config["sentences"] == 20
    assert yaml.safe_load((folder / "run.yaml").read_text())["task"]["language"] == "eng_Latn"
    assert found.manifest["setting"] == {"freeze": "early", "adapter": "none", "name": ""}
    assert found.manifest["layers"] == LAYERS
    assert {row["part"]: row["share"] for row in found.manifest["trainable"]}["block 0"] == 0
    page = (folder / "report.html").read_text()
    assert "<html" in page
    assert "ilo" in page.lower()
    assert "What trains" in done.stdout
    assert not [path for path in folder.rglob("*") if path.name.startswith(".")]


def test_a_finished_run_is_not_run_again(run, overrides):
    folder, _ = run
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    again = in_process("train", *overrides[1], "logger=none")
    assert (again.code, again.err) == (0, "")
    assert again.out.startswith(f"Finished already: {folder}")
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_a_run_that_did_not_come_to_its_end_is_not_finished(run):
    folder, _ = run
    cfg = OmegaConf.load(folder / "run.yaml")
    assert is_finished(cfg, folder)
    assert not is_finished(OmegaConf.merge(cfg, {"seed": 1}), folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder.parent / "stopped").mkdir()
    for name, text in (("run.yaml", (folder / "run.yaml").read_text()), ("report.html", "")):
        (folder.parent / "stopped" / name).write_text(text)
    assert not is_finished(cfg, folder.parent / "stopped")
    (folder.parent / "stopped" / "manifest.json").write_text(json.dumps({**manifest, "finished": False}))
    assert not is_finished(cfg, folder.parent / "stopped")


def test_rows_tell_every_layer_before_and_after_and_every_language(run):
    rows = read_run(run[0]).rows
    for metric in ("ilo", "bridge", "reach", "separability"):
        chosen = rows[(rows["metric"] == metric) & (rows["language"] == "")]
        assert {*zip(chosen["step"], chosen["layer"], strict=True)} == {(s, layer) for s in (0, 2) for layer in LAYERS}
    moved = rows[(rows["metric"] == "separability") | (rows["metric"] == "ilo")].pivot_table(
        index=["layer", "metric", "language"], columns="step", values="value"
    )
    frozen = moved.loc[["0", "1"]]
    assert (frozen[0] == frozen[2]).all()
    tested = rows[rows["metric"] == "test_accuracy"]
    assert sorted(tested["language"]) == sorted(LANGUAGES)
    assert rows[rows["metric"] == "validation_loss"]["language"].tolist() == ["eng_Latn"]
    assert set(rows["run"]) == {"run"}


def test_the_exported_model_loads(run):
    assert load(run[0] / "model", head="classification").parts.layers == tuple(LAYERS)


def test_csv_has_the_rows_of_whole_layers(run):
    folder, _ = run
    csv = pd.read_csv(folder / "csv" / "metrics.csv")
    check_history(folder, {name: csv[["step", name]].dropna().values.tolist() for name in csv if "/layer_" in name})


def test_wandb_mirrors_them(run):
    folder, _ = run
    (file,) = folder.glob("wandb/offline-run-*/run-*.wandb")
    history, axes, config = defaultdict(list), {}, {}
    for record in records(file):
        kind = record.WhichOneof("record_type")
        if kind == "history":
            items = {"/".join(item.nested_key) or item.key: json.loads(item.value_json) for item in record.history.item}
            for name, value in items.items():
                history[name].append([items.get("trainer/global_step"), value])
        elif kind == "metric":
            axes[record.metric.glob_name or record.metric.name] = record.metric.step_metric
        elif kind in ("run", "config"):
            updates = record.run.config.update if kind == "run" else record.config.update
            config |= {"/".join(item.nested_key) or item.key: item.value_json for item in updates}
    check_history(folder, {name: values for name, values in history.items() if "/layer_" in name})
    assert history["ilo/layer_00"][0][0] == 0
    assert history["rows/nrows"]  # the long table; tests/verbs/mirror/test_logger.py reads all of it back
    assert axes["ilo/*"] == "epoch"
    assert json.loads(config["model"])["name"] == "tiny"


def check_history(folder, history):
    rows = read_run(folder).rows
    whole = rows[(rows["layer"] != "") & (rows["language"] == "") & (rows["other"] == "")]
    expected = defaultdict(list)
    for row in whole.to_dict("records"):
        expected[f"{row['metric']}/layer_{row['layer']:0>2}"].append([row["step"], row["value"]])
    assert history.keys() == expected.keys()
    assert "ilo/layer_00" in history
    for name, values in expected.items():
        assert [pytest.approx(value) for value in values] == history[name]


def test_the_same_command_goes_on_from_where_it_stood(run, overrides):
    folder, given = overrides
    before, weights = read_run(run[0]).rows, (run[0] / "model" / "model.safetensors").read_bytes()
    done = babelscope(folder, *given)
    assert done.returncode == 0, done.stderr[-3000:]
    pd.testing.assert_frame_equal(read_run(run[0]).rows, before)
    assert (run[0] / "model" / "model.safetensors").read_bytes() == weights


def test_text_that_is_trained_on_is_not_measured():
    cfg = OmegaConf.create({})
    train, probed = lab(["eng_Latn"], "train"), lab(LANGUAGES, "train+dev").take([0, 1, 799])
    with pytest.raises(ValueError, match=r"`corpus.split` .* by `task.train`, but 2 of 3 sentences in eng_Latn are in"):
        refuse_overlap(cfg, {"task.train": train}, {"corpus.split": probed})
    fine = {"corpus.split": lab(LANGUAGES, "dev+test")}
    refuse_overlap(cfg, {"task.train": train}, fine)
    refuse_overlap(cfg, {"task.train": train}, {"corpus.split": lab(LANGUAGES[1:], "train")})
    parallel = {"task.train": train, "alignment.corpus.split": lab(LANGUAGES, "dev")}
    watched = {"callbacks.alignment_guard.corpus.split": lab(["rus_Cyrl"], "dev")}
    with pytest.raises(ValueError, match=r"`corpus.split` .* by `alignment.corpus.split`, but 100 of 300"):
        refuse_overlap(cfg, parallel, fine)
    with pytest.raises(ValueError, match=r"guard.corpus.split` .* but 100 of 100 sentences in rus_Cyrl"):
        refuse_overlap(cfg, parallel, watched)


@pytest.mark.parametrize(
    ("trained", "given", "remedy"),
    [
        ("train", "all", "another split, such as corpus.split=dev+test"),
        ("dev", "dev+test", "another split, such as corpus.split=train+test"),
        ("train", "dev+test", "sentences that are in no other split, or another corpus"),
        ("train", "test", "another split, such as corpus.split=dev"),
        ("all", "dev", "sentences that are in no other split, or another corpus"),
    ],
)
def test_no_split_is_suggested_that_was_given_or_is_trained_on(trained, given, remedy):
    cfg = OmegaConf.create({"task": {"train": trained}, "corpus": {"split": given}})
    text = lab(["eng_Latn"], "train")
    with pytest.raises(ValueError, match=re.escape(f"are in both; choose {remedy}.")):
        refuse_overlap(cfg, {"task.train": text}, {"corpus.split": text})


def command(tmp_path, checkpoint, *overrides):
    return in_process(
        *("train", f"model.checkpoint={checkpoint}", f"languages.codes=[{','.join(LANGUAGES)}]", "sentences=12"),
        *("trainer=smoke", "logger=none", "+corpus.train=40", f"output={tmp_path / 'run'}", *overrides),
    )


def test_a_guard_watches_a_corpus_of_its_own_and_repairs_before_it_is_measured(tmp_path):
    checkpoint = save_checkpoint(tmp_path / "tiny", "xlm-roberta")
    guarded = "callbacks=[layer_scores,task_scores,checkpoint,alignment_guard]"
    guard = "callbacks.alignment_guard"
    watch = (f"{guard}.metric._target_=babelscope.metrics.cka", f"{guard}.key=cka")
    ended = command(
        tmp_path,
        checkpoint,
        *(guarded, "corpus.split=test", "metrics=[ilo,drift]", "metrics.drift.k=3", "optimizer.lr=0.05", "warmup=0"),
        *(*watch, f"{guard}.tolerance=0.0"),
    )
    assert (ended.code, ended.err) == (0, "")
    rows = read_run(tmp_path / "run").rows
    falls = rows[rows["metric"] == "guard_fall"]
    assert {*falls["step"]} == {0, 2}
    made = rows[rows["metric"] == "guard_freeze"]
    assert len(made)
    highest = max(map(int, made["layer"]))
    drift = rows[(rows["metric"] == "drift_knn") & (rows["step"] == 2) & (rows["language"] == "")]
    # the guard comes last in the list, and yet the scores are those of the repaired model
    assert (drift[drift["layer"].astype(int) <= highest]["value"] == 1).all()


def test_scores_on_watched_sentences_are_warned_of(tmp_path):
    checkpoint = save_checkpoint(tmp_path / "tiny", "xlm-roberta")
    given = ("callbacks=[alignment_guard,task_scores]", "metrics=ilo", "corpus.split=dev", "sentences=8")
    ended = command(tmp_path, checkpoint, *given)
    assert ended.code == 0
    (line,) = ended.lines
    assert re.search(r"8 of the 8 sentences of `corpus.split` are also in `callbacks.alignment_guard", line)


def test_a_contrastive_term_trains_with_the_task(tmp_path):
    checkpoint = save_checkpoint(tmp_path / "tiny", "xlm-roberta")
    fast = ("metrics=ilo", "trainer.log_every_n_steps=1")
    ended = command(tmp_path, checkpoint, "alignment=contrast", "alignment.pairs=4", "logger=csv", *fast)
    assert (ended.code, ended.err) == (0, "")
    assert "alignment_loss" in pd.read_csv(tmp_path / "run" / "csv" / "metrics.csv")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("alignment=contrast", "alignment.corpus.split=dev"), "`corpus.split` to share no sentence"),
        (("alignment=contrast", "alignment.layer=9"), "`alignment.layer` to be one of 0, 1, 2, 3, 4, but got '9'"),
        (("alignment=contrast", "+alignment.heat=9"), "keys of `alignment` to be among .*, but got `heat`"),
        (
            ("callbacks=[alignment_guard]", "callbacks.alignment_guard.corpus.split=train"),
            "`callbacks.alignment_guard.corpus.split` to share no sentence",
        ),
        (("callbacks=[alignment_guard]", "callbacks.alignment_guard.tolerance=-1"), "`tolerance` to be at least 0"),
        (
            ("callbacks=[alignment_guard]", "+callbacks.alignment_guard.metric.privot=eng_Latn"),
            "keys of `callbacks.alignment_guard.metric` to be among .*, but got `privot`",
        ),
    ],
)
def test_what_a_user_can_mend_is_one_line(overrides, message, tmp_path):
    ended = command(tmp_path, save_checkpoint(tmp_path / "tiny", "xlm-roberta"), "sentences=null", *overrides)
    assert ended.code == 2
    (line,) = ended.lines
    assert re.search(message, line), line


def test_what_was_measured_is_shown_with_the_step_it_is_of(tmp_path):
    checkpoint = save_checkpoint(tmp_path / "tiny", "xlm-roberta", "lm")
    given = (f"languages.codes=[{','.join(LANGUAGES)}]", "sentences=12", "trainer=smoke", "logger=none", "page=false")
    ended = in_process(
        *("train", f"model.checkpoint={checkpoint}", *given, "metrics=[mexa,isotropy]", "trainer.max_steps=1"),
        f"output={tmp_path / 'run'}",
    )
    assert (ended.code, ended.err) == (0, "")
    assert ["layer", "mexa", "isoscore"] in [line.split() for line in ended.out.splitlines()]
    assert "Layers were last measured" not in ended.out  # they are at the end, even where no validation is
    rows = read_run(tmp_path / "run").rows
    assert {*rows[rows["layer"] != ""]["step"]} == {0, 1}
