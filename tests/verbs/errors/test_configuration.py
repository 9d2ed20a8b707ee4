"""What the configuration refuses: exit code 2, one line that says what and the remedy, and nothing left behind."""

import pytest
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from babelscope.verbs.errors import one_line
from tests.verbs.command import SHORT_TRAINING, babelscope, refused, says

pytestmark = pytest.mark.usefixtures("somewhere")


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("languages=[eng_Latn,deu_Latn]", ("`languages`", "deu_Latn", "languages.codes=[")),
        ("languages=eng_Latn", ("`languages`", "'eng_Latn'", "languages.codes=[eng_Latn,")),
        ("model=xlmr_bose", ("`model`", "'xlmr_bose'", "nearest: xlmr_base")),
        ("metrics=[1]", ("`metrics`", "[1]", "isotropy", "choose one")),
        ("metrics={ilo: 1}", ("`metrics.ilo`", "1", "write metrics=[ilo]")),
        ("~metrics", ("`~metrics`", "metrics=[NAME,...]")),
        ("pool=nan", ("`pool`", "nan", "weighted", "choose one")),
        ("pool=[mean]", ("`pool`", "[mean]", "weighted", "choose one")),
        ("metrics=[ilo,sep]", ("`metrics`", "'sep'", "separability", "nearest")),
        ("pool=mode", ("`pool`", "'mode'", "weighted", "choose one")),
        ("hydra/sweeper=optuna", ("`hydra/sweeper`", "installed", "'optuna'", "leave it out")),
        ("neighbours=annoy", ("`neighbours`", "'annoy'", "faiss, torch")),
        ("task=lm", ("`task`", "leave it out")),
        ("sentencs=5", ("`sentencs`", "nearest: sentences")),
        ("metrics.ilo.kk=3", ("`metrics.ilo`", "`kk`", "nearest: k")),
        ("model.revison=main", ("`model`", "`revison`", "nearest: revision")),
        ("+metrics.ilo.kk=3", ("`metrics.ilo`", "`kk`", "nearest: k")),
        ("metrics.ilo.k=five", ("`metrics.ilo.k`", "'five'", "whole number")),
        ("metrics.ilo.distance=l1", ("`metrics.ilo.distance`", "'l1'", "'euclidean'")),
        ("metrics.ilo._target_=babelscope.ilo", ("metrics.ilo", "babelscope.ilo")),
        ("metrics=[]", ("`metrics`", "metrics=[ilo,separability]")),
        ("+corpus.colour=red", ("`corpus`", "`colour`")),
        ("sentences", ("KEY=VALUE", "'sentences'")),
        ("languages.codes=[", ("KEY=VALUE", "'languages.codes=['", "'model.name=\"a, b\"'")),
        ("model.checkpoint={b}.txt", ("KEY=VALUE", "as in 'model.checkpoint=\"{b}.txt\"'")),
        ("model.checkpoint=a{b}", ("KEY=VALUE", "'model.checkpoint=a{b}'", "as in 'model.checkpoint=\"a{b}\"'")),
        ("model=default", ("`model.checkpoint`", "add")),
        ("sentences=abc", ("`sentences`", "'abc'", "null")),
        ("sentences=0", ("`sentences`", "0")),
        ("seed=x", ("`seed`", "'x'")),
        ("threads=0", ("`threads`", "0")),
        ("max_tokens=-1", ("`max_tokens`", "-1")),
        ("output=null", ("Expected `output` to be a folder", "null")),
        ('output=""', ("Expected `output` to be a folder", "''")),
        ("device=tpu9", ("`device`", "'tpu9'", "device=cpu")),
    ],
)
def test_configuration(override, words):
    says(refused("probe", override), *words)


def test_settings_of_a_metric_that_is_not_chosen():
    line = refused("train", "experiment=demo", "metrics=[ilo,mexa]")
    says(line, "`metrics.separability`", "{'folds': 3}", "metrics=[...,separability]", "'~metrics.separability'")


def test_experiments_may_be_several(tmp_path):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text("# @package _global_\nsentences: 7\n")
    ended = babelscope("train", "--config-dir", tmp_path, "experiment=[demo,mine]", "--cfg", "job")
    assert (ended.code, ended.err) == (0, "")
    assert "\nsentences: 7\n" in ended.out


def test_an_experiment_of_another_verb():
    says(refused("probe", "experiment=demo"), "`experiment=demo`", "`task`", "leave it out")


@pytest.mark.parametrize("text", ["a: [1\n", "a:\n\tb: 1\n"])
def test_a_file_of_ones_own_that_is_no_yaml(text, tmp_path):
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics" / "q.yaml").write_text(text)
    line = refused("probe", "--config-dir", tmp_path, "metrics=[q]")
    says(line, "Expected YAML in", "q.yaml, line 2", "correct it")


def test_a_key_of_the_trainer(small):
    says(
        refused("train", *small, *SHORT_TRAINING, "+trainer.max_epoch=1"),
        "trainer",
        "`max_epoch`",
        "nearest: max_epochs",
    )


def test_a_key_of_a_callback(small):
    says(
        refused("train", *small, *SHORT_TRAINING, "+callbacks.layer_scores.often=1"),
        "`callbacks.layer_scores`",
        "`often`",
    )


def test_a_gpu_that_is_not_there_is_named_with_the_remedy():
    said = MisconfigurationException("No supported gpu backend found!")
    assert "`trainer.accelerator`" in one_line(said)
    assert "trainer=default" in one_line(said)
