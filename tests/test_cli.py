"""The command itself: what a shell sees."""

import gc
import os
import re
import sys
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest
import yaml

from babelscope import cli
from tests.models.tiny import save_checkpoint
from tests.shell import shell
from tests.verbs.command import FIVE, babelscope, written

pytestmark = pytest.mark.usefixtures("somewhere")

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return save_checkpoint(tmp_path_factory.mktemp("cli") / "tiny", "xlm-roberta")


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",)])
def test_bare_lists_every_verb_with_an_example(arguments):
    ended = babelscope(*arguments)
    assert (ended.code, ended.err) == (0, "")
    for verb, (what, example) in cli.VERBS.items():
        assert f"babelscope {verb}" in ended.out
        assert example in ended.out
        assert what in ended.out


@pytest.mark.parametrize("verb", cli.VERBS)
def test_help_of_a_verb_shows_its_groups_and_its_keys_with_their_comments(verb, somewhere):
    ended = babelscope(verb, "--help")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith(f"babelscope {verb} ")
    text = (ROOT / "conf" / f"{verb}.yaml").read_text()
    defaults = [entry for entry in yaml.safe_load(text)["defaults"] if isinstance(entry, dict)]
    groups = {name for entry in defaults for name in entry}
    for folder in (path.name for path in (ROOT / "conf").iterdir() if path.is_dir()):
        listed = re.search(rf"^  {folder}( \(.*\))?: \w", ended.out.partition("Keys (KEY=VALUE)")[0], re.MULTILINE)
        assert bool(listed) == (folder in groups), folder
    for line in text.partition("\n\n")[2].partition("\nhydra:")[0].splitlines():
        assert line in ended.out
    assert ("CPU threads of torch" in ended.out) == ("model" in groups)
    assert "hydra:\n" not in ended.out
    assert written(somewhere) == []


def test_help_shows_flags_and_choices_of_ones_own(somewhere):
    assert babelscope("runs", "--help").out.startswith("babelscope runs FOLDER [--retry failed] [--follow] [KEY=VALUE")
    assert babelscope("sync", "--help").out.startswith("babelscope sync FOLDER ")
    (somewhere / "mine" / "languages").mkdir(parents=True)
    (somewhere / "mine" / "languages" / "pair.yaml").write_text("codes: [eng_Latn, deu_Latn]\n")
    assert "languages (lab): ilo31, lab, pair, " in babelscope("probe", "--help", "--config-dir", "mine").out


def test_a_group_that_a_verb_does_not_have_is_refused():
    ended = babelscope("runs", "model=lab_xlmr")
    assert (ended.code, len(ended.lines)) == (2, 1)
    assert "Expected a group that this verb has, but got `model`; leave it out; --help shows" in ended.err


def test_cfg_job_shows_the_composed_configuration(somewhere):
    ended = babelscope("train", "freeze=early", "task.language=deu_Latn", "--cfg", "job")
    assert (ended.code, ended.err) == (0, "")
    assert "language: deu_Latn" in ended.out
    assert "babelscope.models.policies.early" in ended.out
    assert written(somewhere) == []


@pytest.mark.parametrize("arguments", [("prob",), ("-m", "probe"), ("seed=1",)])
def test_unknown_verb(arguments):
    ended = babelscope(*arguments)
    assert ended.code == 2
    assert len(ended.lines) == 1
    assert ended.err.startswith(f"babelscope: Expected a verb first, one of {', '.join(cli.VERBS)}, but got")


def test_unknown_flag():
    ended = babelscope("probe", "--confg-dir", "mine")
    assert (ended.code, len(ended.lines)) == (2, 1)
    assert "'--confg-dir'" in ended.err
    assert "--config-dir" in ended.err


def test_module_and_installed_command_from_another_folder(tiny, somewhere):
    module = shell(sys.executable, "-m", "babelscope")
    assert (module.returncode, module.stderr) == (0, "")
    done = shell(
        Path(sys.executable).with_name("babelscope"),
        *("probe", f"model.checkpoint={tiny}", f"languages.codes={FIVE}", "sentences=6", "metrics=ilo", "output=run"),
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "Wrote" in done.stdout
    assert {path.name for path in (somewhere / "run").iterdir()} == {
        *("run.yaml", "manifest.json", "results", "report.html")
    }


def test_a_users_own_yaml(tiny, somewhere):
    mine = somewhere / "mine" / "languages"
    mine.mkdir(parents=True)
    (mine / "pair.yaml").write_text("codes: [eng_Latn, deu_Latn]\n")
    ended = babelscope(
        *("probe", "languages=pair", f"model.checkpoint={tiny}", "sentences=6", "metrics=knn_lid", "output=run"),
        *("--config-dir", "mine", "seed=3"),
    )
    assert (ended.code, ended.err) == (0, "")
    assert "- deu_Latn" in (somewhere / "run" / "run.yaml").read_text()
    unknown = babelscope("probe", "languages=trio", "--config-dir", "mine")
    assert (unknown.code, len(unknown.lines)) == (2, 1)
    assert "pair" in unknown.err  # the user's own choices are listed, too


def test_config_dir_must_be_there():
    ended = babelscope("probe", "--config-dir", "nowhere")
    assert (ended.code, len(ended.lines)) == (2, 1)
    assert "--config-dir" in ended.err


def test_full_error_shows_the_traceback(monkeypatch):
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    ended = babelscope("report", "runs=nowhere")
    assert ended.code == 2
    assert "Traceback" in ended.err
    assert ended.lines[-1].startswith("babelscope: ")
    assert os.environ["HYDRA_FULL_ERROR"] == "1"


def test_what_only_we_can_mend_exits_1_with_a_traceback(monkeypatch):
    def broken(root):
        raise RuntimeError("a defect")

    monkeypatch.setattr("babelscope.verbs.report.run_folders", broken)
    ended = babelscope("report", "runs=x")
    assert ended.code == 1
    assert "RuntimeError: a defect" in ended.err
    assert ended.lines[-1] == "babelscope: unexpected RuntimeError; please report the above"


def test_modules_are_no_work_for_the_garbage_collector(tmp_path, monkeypatch):
    (tmp_path / "a_verb.py").write_text("import gc\nwas_on = gc.isenabled()\nkept = [[], {}]\nkept[0].append(kept)\n")
    (tmp_path / "a_broken_verb.py").write_text("raise KeyError\n")
    monkeypatch.syspath_prepend(tmp_path)
    gc.unfreeze()
    try:
        verb = cli._import("a_verb")
        frozen = gc.get_freeze_count()
        assert frozen
        assert gc.isenabled()
        assert not verb.was_on
        assert not any(thing is verb.kept for thing in gc.get_objects())
        assert cli._import("a_verb") is verb
        assert gc.get_freeze_count() <= frozen
        gc.unfreeze()
        with pytest.raises(KeyError):
            cli._import("a_broken_verb")
        assert gc.isenabled()
    finally:
        gc.freeze()
        sys.modules.pop("a_verb", None)


def test_values_with_an_equals_sign_need_no_quotes():
    assert cli._in_order(["-m", "model.revision=step=0,step=50"]) == ["-m", "model.revision='step=0','step=50'"]
    assert cli._in_order(["a=b", "-m"]) == ["-m", "a=b"]
    assert cli._of_folder(["x", "--retry", "failed", "--follow"]) == ["folder='x'", "retry=failed", "follow=true"]
    assert cli._of_folder(["-cd", "mine", "--retry=failed", "every=1", "-h"]) == [
        *("-cd", "mine", "retry=failed", "every=1", "-h")
    ]
    for plain in ("a=b", "a={b: 1}", 'a="b=c"', "a=sort(b,reverse=true)", "hydra.run.dir='/x=1'"):
        assert cli._in_order([plain]) == [plain]


def test_home_folders_and_names_of_digits_need_no_quotes():
    assert cli._in_order(["output=~/x"]) == ["output='~/x'"]
    assert cli._in_order(["start=~/a,b"]) == ["start='~/a',b"]
    assert cli._in_order(["model.revision=5,12e4,null"]) == ["model.revision='5','12e4',null"]
    assert cli._in_order(["output=7"]) == ["output='7'"]
    for plain in ("~hydra.launcher", "seed=5", "sentences", "output=", "output='~/x'"):
        assert cli._in_order([plain]) == [plain]


@pytest.mark.parametrize(
    "override", ["logger=[csv,none]", "logger=[none, 'csv']", "callbacks=[checkpoint],[export,none]"]
)
def test_none_in_a_list_of_others_is_refused(override, somewhere):
    ended = babelscope("train", "-m", override)
    group, _, value = override.partition("=")
    assert (ended.code, len(ended.lines)) == (2, 1)
    assert f"Expected `{group}` to be none or a list without it, but got {value}; leave none out" in ended.err
    assert written(somewhere) == []
    for fine in ("logger=[none]", "logger=csv,none", "callbacks=[export],[none]", "metrics=[none,ilo]"):
        assert cli._in_order([fine]) == [fine]


def test_a_failing_job_does_not_stop_the_others(tiny, somewhere):
    ended = babelscope(
        *("probe", "-m", f"model.checkpoint={tiny}", f"languages.codes={FIVE}", "sentences=9999,6,8888,7"),
        *("metrics=ilo", "output='runs/${sentences}'", "hydra/launcher=basic"),
    )
    assert ended.code == 2
    assert len(ended.lines) == 2
    for line, sentences in zip(ended.lines, (9999, 8888), strict=True):
        assert line.startswith("babelscope: [")
        assert f"sentences={sentences}" in line
    assert sorted(path.name for path in (somewhere / "runs").iterdir()) == [".jobs", "6", "7"]


def test_ddp_in_a_sweep_is_refused(somewhere):
    ended = babelscope("train", "-m", "trainer=ddp_cpu", "freeze=none,early", "hydra/launcher=basic")
    assert ended.code == 2
    assert len(ended.lines) == 2
    assert all("`trainer.strategy`" in line and "without -m" in line for line in ended.lines)
    # what was refused is in the ledger, and no run folder is left
    assert {path.parent.name for path in somewhere.rglob("*") if path.is_file()} <= {".jobs", "outputs"}


def test_a_folder_that_was_there_stays(somewhere):
    ended = babelscope("probe", "sentences=99999", "output=.")
    assert ended.code == 2
    assert somewhere.is_dir()
    mine = somewhere / "mine"
    mine.mkdir()
    (mine / "run.yaml").write_text("kept: true\n")
    assert babelscope("probe", "sentences=99999", "output=mine").code == 2
    assert written(somewhere) == ["mine", "mine/run.yaml"]


def test_pretraining_never_replaces_a_folder(somewhere):
    (somewhere / "mine").mkdir()
    (somewhere / "mine" / "thesis.txt").write_text("x")
    ended = babelscope("pretrain", "folder=mine")
    assert (ended.code, len(ended.lines)) == (2, 1)
    assert written(somewhere) == ["mine", "mine/thesis.txt"]


def test_both_ways_to_a_lab_checkpoint_are_one(monkeypatch):
    calls = []

    def pretrain(recipe, corpus, folder, *, weights, seed, trainer):
        made = trainer(max_epochs=1)
        calls.append((folder, seed, made.gradient_clip_val, made.logger, made.checkpoint_callback))
        raise ValueError("stop here")

    monkeypatch.setattr("babelscope.verbs.config.building.pretrain", pretrain)
    for verb in ("pretrain", "probe"):
        assert "stop here" in babelscope(verb, "model=lab_xlmr").err
    assert calls[0] == calls[1]
    babelscope("pretrain", "model=lab_xlmr", "seed=1")
    assert calls[2][0] != calls[0][0]


def test_what_a_terminal_cannot_show_is_replaced(monkeypatch):
    shown = TextIOWrapper(BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setattr(sys, "argv", ["babelscope", "tråin"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    shown.flush()
    assert ended.value.code == 2
    assert b"but got 'tr?in'; try: babelscope train --help" in shown.buffer.getvalue()
