import importlib.metadata
import json
import sys
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
import yaml
from rich.console import Console

from babelscope.analyses.downstream.harness import TaskScores
from babelscope.report.table import COLUMNS, read_run
from babelscope.verbs import evaluate as evaluate_verb
from babelscope.verbs.evaluate import _print
from babelscope.verbs.terminal import console
from tests.analyses.downstream.test_harness import ENGLISH, expected, write_published, write_task
from tests.models.tiny import save_checkpoint
from tests.verbs import command
from tests.verbs.command import FIVE, babelscope, says, written

pytestmark = pytest.mark.usefixtures("somewhere")

refused = partial(command.refused, "evaluate")
pytest.importorskip("lm_eval")
OWN = ("harness=own", "benchmark=copy", "+tasks.eng_Latn=because", "output=run")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluate")
    return {kind: save_checkpoint(folder / kind, kind, "lm") for kind in ("bloom", "mt5", "xlm-roberta")}


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    return write_published(write_published(tmp_path_factory.mktemp("xcopa")), name="tr")


def evaluate(checkpoint, *overrides, output="run"):
    ended = babelscope("evaluate", f"model.checkpoint={checkpoint}", *overrides, f"output={output}")
    assert (ended.code, ended.err) == (0, "")
    return read_run(Path(output)), ended.out


def value(run, metric, language):
    return run.rows.query("metric == @metric and language == @language")["value"].item()


def test_one_row_per_task_and_language(tiny, published):
    run, out = evaluate(tiny["bloom"], f"data={published}", "languages.codes=[tur_Latn,ind_Latn]", "limit=3")
    assert written(Path()) == [
        "run",
        "run/manifest.json",
        "run/results",
        "run/results/downstream.parquet",
        "run/run.yaml",
    ]
    assert tuple(pd.read_parquet("run/results/downstream.parquet").columns) == COLUMNS
    assert sorted(zip(run.rows["metric"], run.rows["language"], strict=True)) == [
        (f"xcopa/{metric}", language)
        for metric in ("acc", "acc_null", "acc_stderr")
        for language in ("ind_Latn", "tur_Latn")
    ]
    assert set(run.rows["layer"]) == set(run.rows["other"]) == {""}
    assert set(run.rows["step"]) == set(run.rows["epoch"]) == {0}
    assert value(run, "xcopa/acc_null", "ind_Latn") == 0.5
    tasks = run.manifest["tasks"]
    assert list(tasks) == ["tur_Latn", "ind_Latn"]
    assert tasks["ind_Latn"] | {"hash": "", "truncated": 0} == {
        **{"task": "xcopa_id", "version": "1.0", "documents": 3, "of": 4, "num_fewshot": 0, "hash": "", "truncated": 0}
    }
    assert tasks["ind_Latn"]["hash"] != tasks["tur_Latn"]["hash"]  # the same documents, asked in another language
    assert run.manifest["versions"]["lm_eval"] == importlib.metadata.version("lm_eval")
    assert run.manifest["benchmark"] == "xcopa"
    for text in ("ind_Latn", "xcopa_id", "±", "0.500", "mean", "Wrote"):
        assert text in out


@pytest.mark.parametrize("kind", ["bloom", "mt5"])
def test_tasks_of_your_own(tiny, tmp_path, kind):
    run, _ = evaluate(tiny[kind], *OWN, f"include={write_task(tmp_path)}")
    right = expected(tiny[kind], ENGLISH, "eng_Latn").argmax(1).tolist()
    wanted = sum(choice == row[-1] for choice, row in zip(right, ENGLISH, strict=True)) / len(ENGLISH)
    assert value(run, "copy/acc", "eng_Latn") == pytest.approx(wanted)
    assert value(run, "copy/acc_norm_null", "eng_Latn") == 0.5


@pytest.mark.parametrize("before", [False, True], ids=["new", "repeated"])
def test_finished_languages_stay_when_a_later_one_ends_the_command(tiny, published, monkeypatch, before):
    given = (f"data={published}", "languages.codes=[tur_Latn,ind_Latn]")
    whole, _ = evaluate(tiny["bloom"], *given, output="run" if before else "whole")
    assert whole.manifest["finished"] is True
    score, answered = evaluate_verb.score_task, []

    def interrupted(model, task, **options):
        if answered:
            raise KeyboardInterrupt
        answered.append(score(model, task, **options))
        return answered[0]

    monkeypatch.setattr(evaluate_verb, "score_task", interrupted)
    command = ("evaluate", f"model.checkpoint={tiny['bloom']}", *given, "output=run")
    assert babelscope(*command).code == 130
    run = read_run(Path("run"))
    assert run.manifest["finished"] is False
    assert set(run.rows["language"]) == set(run.manifest["tasks"]) == {"tur_Latn"}
    assert value(run, "xcopa/acc", "tur_Latn") == value(whole, "xcopa/acc", "tur_Latn")
    assert "Not finished: run, which has 1 language so far" in babelscope("report", "runs=run").out
    monkeypatch.setattr(evaluate_verb, "score_task", score)
    again, _ = evaluate(tiny["bloom"], *given)
    assert again.manifest["finished"] is True
    assert again.manifest["tasks"] == whole.manifest["tasks"]
    assert again.rows.drop(columns="run").equals(whole.rows.drop(columns="run"))


def train(checkpoint, *overrides):
    ended = babelscope(
        *("train", f"model.checkpoint={checkpoint}", f"languages.codes={FIVE}", "sentences=6", "metrics=ilo"),
        *("task=lm", "trainer=smoke", "logger=none", "+corpus.train=20", "output=trained", *overrides),
    )
    assert (ended.code, ended.err) == (0, "")
    return read_run(Path("trained"))


@pytest.mark.parametrize("more", [(), ("adapter=lora",)], ids=["plain", "adapter"])
def test_a_run_folder_and_a_step_of_it(tiny, published, more):
    trained = train(tiny["bloom"], "callbacks.export.every_n_epochs=1", *more)
    given = (f"data={published}", "languages.codes=[ind_Latn]")
    run, _ = evaluate("trained", *given)
    whole, _ = evaluate("trained/model", *given, output="whole")
    last = trained.rows["step"].max()
    assert (set(run.rows["step"]), set(run.rows["epoch"])) == ({last}, {trained.rows["epoch"].max()})
    assert run.manifest["weights"] == whole.manifest["weights"] == weights_at_the_end(trained, more)
    assert run.manifest["trained_in"]["run"] == "trained"
    assert run.manifest["setting"] == trained.manifest["setting"]
    assert run.manifest["source_language"] == trained.manifest["source_language"]
    assert run.config["model"]["name"] == whole.config["model"]["name"] == "trained"
    step, _ = evaluate("trained", *given, f"model.revision=step={last}", output="step")
    assert set(step.rows["step"]) == {last}
    assert (step.rows["value"] == run.rows["value"]).all()


def weights_at_the_end(trained, more):
    from babelscope.models.fingerprint import weights_fingerprint
    from babelscope.models.load import load

    found = weights_fingerprint(load(trained.folder / "model", head="lm").model)
    assert found != trained.manifest["weights"]
    return found


@pytest.mark.parametrize(
    ("override", "words"),
    [
        (
            "languages.codes=[ind_Latn,deu_Latn]",
            ("deu_Latn", "xcopa", "est_Latn, hat_Latn, ind_Latn", "+tasks.deu_Latn"),
        ),
        ("languages=[ind_Latn]", ("languages.codes=[")),
        ("harness=xcopo", ("`harness`", "xcopa, xnli, xstorycloze", "'xcopo'")),
        ("tasks.deu_Latn=mine", ("`deu_Latn`", "+tasks.deu_Latn=VALUE")),
        ("harness=own", ("`tasks`", "+tasks.eng_Latn=TASK")),
        ("limit=0", ("`limit`", "0", "limit=null")),
        ("num_fewshot=-1", ("`num_fewshot`", "-1")),
        ("batch_size=auto", ("`batch_size`", "'auto'", "batch_size=16")),
        ("max_length=x", ("`max_length`", "'x'")),
        ("device=tpu9", ("`device`", "'tpu9'")),
        ("data=nowhere", ("`data`", "{name}/test.{name}.jsonl", "nowhere")),
        ("include=nowhere", ("`include`", "nowhere")),
        ("harness=xnli data=nowhere", ("`data`", "harness=xcopa", "'xnli_ar'")),
    ],
)
def test_what_the_configuration_refuses(tiny, override, words):
    says(refused(f"model.checkpoint={tiny['bloom']}", *override.split()), *words)


def test_masked_models(tiny, published):
    says(refused("model=lab_xlmr"), "xlm-roberta", "masked")  # before one is made
    line = refused(f"model.checkpoint={tiny['xlm-roberta']}", f"data={published}", "languages.codes=[ind_Latn]")
    says(line, "xlm-roberta", "masked", "model=lab_bloom", "babelscope probe")


def test_without_the_harness(tiny, monkeypatch):
    monkeypatch.setitem(sys.modules, "lm_eval", None)
    says(refused(f"model.checkpoint={tiny['bloom']}"), "lm-evaluation-harness", 'pip install "babelscope[eval]"')


def test_without_a_network(tiny, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    line = refused(f"model.checkpoint={tiny['bloom']}", "languages.codes=[ind_Latn]")
    says(line, "'xcopa_id'", "cambridgeltl/xcopa", "Hub once", "data=FOLDER")


def test_steps_are_read_from_names(tmp_path):
    from babelscope.verbs.folder.origin import origin_of

    assert origin_of("bigscience/bloom-560m-intermediate", "global_step1000").step == 1000
    assert origin_of(tmp_path, "step=50").step == 50
    assert origin_of(tmp_path, "main").step == origin_of(tmp_path, None).step == 0


def test_the_manifest_is_json_and_the_configuration_whole(tiny, published):
    evaluate(tiny["bloom"], f"data={published}", "languages.codes=[ind_Latn]", "num_fewshot=1", "seed=3")
    assert json.loads(Path("run/manifest.json").read_text())["tasks"]["ind_Latn"]["num_fewshot"] == 1
    config = yaml.safe_load(Path("run/run.yaml").read_text())
    assert (config["tasks"]["ind_Latn"], config["num_fewshot"], config["seed"]) == ("xcopa_id", 1, 3)


def test_tasks_of_several_metrics_are_shown_whole(monkeypatch, capsys):
    metrics = ("acc", "acc_norm", "word_perplexity", "byte_perplexity", "bits_per_byte", "exact_match")
    plain = {
        "documents": 3,
        "of": 3,
        "num_fewshot": 0,
        "version": "1",
        "fingerprint": "",
        "truncated": 0,
        "samples": [],
    }
    scores = {
        code: TaskScores(task=f"own_{code}", scores={name: 0.5, f"{name}_stderr": 0.1, **more}, **plain)
        for code, name, more in [("eng_Latn", metrics[0], {"acc_null": 0.25})]
        + [(f"x{place}_Latn", name, {}) for place, name in enumerate(metrics[1:])]
    }
    monkeypatch.setattr(console, "console", Console(width=80))
    _print("own: tiny", scores)
    lines = capsys.readouterr().out.splitlines()
    heads = [line.split() for line in lines if "language" in line]
    assert len(heads) > 1
    assert all(head[:2] == ["language", "task"] for head in heads)
    assert [name for head in heads for name in head[2:]] == ["documents", "acc", "guessing", *metrics[1:]]
    assert sum("own_eng_Latn" in line for line in lines) == len(heads)
