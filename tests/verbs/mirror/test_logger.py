"""wandb as a mirror: what offline runs hold, read back."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import wandb
from hydra.utils import instantiate
from omegaconf import OmegaConf
from pytorch_lightning.loggers import CSVLogger

from babelscope.files import write_text
from babelscope.report.table import read, read_run
from babelscope.training.scalars import layer_scalars
from babelscope.training.task_scores import TaskScores
from babelscope.verbs.config.conf import conf_folder
from babelscope.verbs.mirror.logger import (
    EpochMirror,
    Mirror,
    compared,
    log_table,
    mirrored,
    run_id,
    sweep_of,
)
from tests.models.tiny import save_checkpoint, tiny_model
from tests.training.runs import LANGUAGES, layer_scores, make_data, make_module, make_trainer, same, weights_of
from tests.verbs.command import FIVE, babelscope
from tests.verbs.offline import offline_parts
from tests.verbs.sweep import train

SETTINGS = OmegaConf.load(conf_folder() / "logger" / "wandb.yaml").wandb.settings


@pytest.fixture(autouse=True)
def no_account(tmp_path, monkeypatch):
    """No account, a home of its own, and the variable that Lightning sets as it was."""
    for name in [name for name in os.environ if name.startswith("WANDB")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def make_mirror(folder: Path, **options) -> Mirror:
    given = {"project": "p", "id": "0badcafe", "offline": True, "settings": instantiate(SETTINGS)}
    return Mirror(save_dir=folder, **{**given, **options})


def fit(folder: Path, *, epochs=2, model=None, resume=None, **options):
    """Fine-tune a tiny model with all that looks at wandb, as `babelscope train` does."""
    logger = make_mirror(folder)
    callbacks = [layer_scores(folder=folder, run="r"), TaskScores(folder=folder, run="r"), EpochMirror(folder)]
    trainer = make_trainer(folder, *callbacks, max_epochs=epochs, logger=[logger, CSVLogger(folder)], **options)
    module = make_module(tiny_model("xlm-roberta", "classification") if model is None else model)
    with mirrored([logger], {"model": {"name": "tiny"}}):
        trainer.fit(module, make_data(), ckpt_path=resume)
        trainer.save_checkpoint(folder / "last.ckpt")
        trainer.test(module, make_data(), verbose=False)
        write_text(folder / "run.yaml", "task:\n  name: topic\n  language: eng_Latn\n")
        log_table([logger], read_run(folder))
    return module.model


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mirror") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_MODE", "offline")
        fit(folder)
    (part,) = offline_parts(folder)
    return folder, part


def test_layers_are_sections_over_completed_epochs(fitted):
    folder, part = fitted
    rows = read(folder)
    for epoch in (0, 1, 2):
        scalars = layer_scalars(rows[rows["epoch"] == epoch].to_dict("records"))
        (line,) = [line for line in part.history if "ilo/layer_00" in line and line["epoch"] == epoch]
        assert {name: line[name] for name in scalars} == pytest.approx(scalars)
    assert len(part.of("ilo/layer_00")) == 3


def test_what_the_task_scores_is_over_the_same_epochs(fitted):
    folder, part = fitted
    rows = read(folder)
    for name, epochs in (("validation_accuracy", [1, 2]), ("test_accuracy", [2])):
        key = f"{name}/eng_Latn"
        shown = [(line["epoch"], pytest.approx(line[key])) for line in part.history if key in line]
        known = rows[(rows["metric"] == name) & (rows["language"] == "eng_Latn")]
        assert shown == list(zip(known["epoch"], known["value"], strict=True))
        assert [epoch for epoch, _ in shown] == epochs


def test_every_axis_is_defined_once_and_before_its_first_number(fitted):
    axes = fitted[1].axes
    assert len({name for name, _ in axes}) == len(axes)
    by_epoch = {name for name, axis in axes if axis == "epoch"}
    assert {"ilo/*", "size/*", "validation_accuracy/*", "test_loss/*", "rows", "layers_by_steps"} <= by_epoch
    assert dict(axes)["*"] == "trainer/global_step"
    assert "train_loss" not in by_epoch


def test_a_table_and_a_picture_once_per_epoch(fitted):
    folder, part = fitted
    rows = read(folder)
    tables = [line for line in part.history if "rows/path" in line]
    assert [line["epoch"] for line in tables] == [0, 1, 2, 2]  # the last one has the test scores, too
    kept = rows[rows["other"] == ""].drop(columns=["run", "other"])
    for line in tables:
        of_epoch = kept[(kept["epoch"] == line["epoch"])]
        if line is not tables[-1]:
            of_epoch = of_epoch[~of_epoch["metric"].str.startswith("test_")]
        table = part.table(line)
        assert table["columns"] == list(kept)
        assert table["data"] == [pytest.approx(row, nan_ok=True) for row in of_epoch.values.tolist()]
    pictures = [line["epoch"] for line in part.history if "layers_by_steps/path" in line]
    assert pictures == [0, 1, 2]
    files = [path for path in (part.file.parent / "files" / "media").rglob("*") if path.is_file()]
    assert len(files) == len(tables) + len(pictures)


def test_all_that_is_to_be_sent_is_in_the_run_folder(fitted, tmp_path):
    part = fitted[1]
    assert not any(name.startswith("rows/artifact") for line in part.history for name in line)
    assert not list((tmp_path / "home").rglob("*artifacts*"))
    assert sum(path.stat().st_size for path in part.file.parent.rglob("*") if path.is_file()) < 500_000


def test_the_summary_has_what_runs_are_compared_by(fitted):
    folder, part = fitted
    numbers = compared(read_run(folder))
    assert {"compared/ilo_early", "compared/test_accuracy", "compared/zero_shot_accuracy"} <= numbers.keys()
    assert {name: part.summary[name] for name in numbers} == pytest.approx(numbers)
    assert part.exit == 0
    assert part.config["model"] == {"name": "tiny"}


def test_it_changes_no_weight(tmp_path):
    one, other = tiny_model("xlm-roberta", "classification"), tiny_model("xlm-roberta", "classification")
    fit(tmp_path / "run", model=one, epochs=1)
    make_trainer(tmp_path, layer_scores(), max_epochs=1).fit(make_module(other), make_data())
    assert same(weights_of(one), weights_of(other))


def test_a_resumed_run_is_a_second_part_of_the_same_id(tmp_path):
    fit(tmp_path, epochs=1)
    fit(tmp_path, epochs=2, resume=str(tmp_path / "last.ckpt"))
    one, other = offline_parts(tmp_path)
    assert one.id == other.id == "0badcafe"
    assert one.file.parent != other.file.parent
    assert [line["epoch"] for line in one.history if "rows/path" in line] == [0, 1, 1]
    assert [line["epoch"] for line in other.history if "rows/path" in line] == [2, 2]
    assert sorted(one.axes) == sorted(other.axes)  # each part can be read by itself


def fail():
    assert wandb.run is not None
    raise ValueError("too bad")


def test_a_run_that_fails_is_finished_and_says_so(tmp_path):
    with pytest.raises(ValueError, match="too bad"), mirrored([make_mirror(tmp_path)], {}):
        fail()
    assert wandb.run is None
    (part,) = offline_parts(tmp_path)
    assert part.exit == 2


def test_a_killed_job_leaves_what_it_had_logged_a_second_before(tmp_path):
    code = f"""if True:
        import os, signal, time, wandb
        settings = wandb.Settings(**{ {name: value for name, value in SETTINGS.items() if name != "_target_"} })
        run = wandb.init(mode="offline", dir={str(tmp_path)!r}, config={{"seed": 1}}, settings=settings)
        run.log({{"ilo/layer_00": 0.5}})
        time.sleep(2.5)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, timeout=60)
    assert done.returncode == -signal.SIGKILL, done.stderr
    (part,) = offline_parts(tmp_path, ended=False)
    assert part.of("ilo/layer_00") == [0.5]
    assert (part.config["seed"], part.exit) == (1, None)


def test_a_tag_is_as_long_as_wandb_lets_it_be(tmp_path):
    with mirrored([make_mirror(tmp_path, tags=["model:" + "m" * 99, "language:eng_Latn"])], {}):
        pass
    (part,) = offline_parts(tmp_path)
    assert part.tags == ["model:" + "m" * 58, "language:eng_Latn"]


def test_a_sweep_is_the_folder_of_its_run_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert sweep_of("outputs/freezing_study/one-0badcafe") == sweep_of(f"{tmp_path}/outputs/freezing_study/two")
    assert sweep_of("outputs/freezing_study/one-0badcafe") == "freezing_study"
    assert sweep_of("run") == tmp_path.name


def test_a_run_is_itself_again_only_in_its_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    here = run_id("0badcafe", "outputs/a_sweep/freeze=none")
    assert here == run_id("0badcafe", f"{tmp_path}/moved/a_sweep/freeze=none")
    others = ("outputs/a_sweep/setting=none", "outputs/b_sweep/freeze=none")
    assert len({here, run_id("0badf00d", "outputs/a_sweep/freeze=none"), *(run_id("0badcafe", o) for o in others)}) == 4
    assert here.startswith("0badcafe-")


def test_the_command_names_its_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BABELSCOPE_CACHE", str(tmp_path / "cache"))
    checkpoint = save_checkpoint(tmp_path / "tiny", "xlm-roberta")
    given = ("trainer=smoke", "metrics=ilo", "callbacks=[layer_scores,task_scores]", "logger=wandb", "page=false")
    corpora = ("sentences=6", "+corpus.train=40", f"languages.codes={FIVE}")
    ended = babelscope("train", f"model.checkpoint={checkpoint}", "setting=early", *given, *corpora)
    assert (ended.code, ended.err) == (0, "")
    (folder,) = Path("outputs/train").glob("tiny-*")
    (part,) = offline_parts(folder)
    assert part.id == run_id(folder.name[-8:], str(folder))
    assert (part.group, part.job_type) == ("train", "train/topic")
    assert part.name == folder.name[:-9]
    assert {"model:tiny", "language:eng_Latn", "freeze:early", "adapter:none", "setting:early"} == set(part.tags)
    assert part.config["task"]["language"] == "eng_Latn"
    assert part.exit == 0
    assert LANGUAGES[0] in {name.rpartition("/")[2] for line in part.history for name in line}


def test_every_job_of_a_sweep_has_a_mirror_of_its_own(tmp_path, monkeypatch):
    """Jobs are forked from one process, and what the first one leaves has to be there for the next one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BABELSCOPE_CACHE", str(tmp_path / "cache"))
    command = train(save_checkpoint(tmp_path / "tiny", "xlm-roberta"))
    ended = babelscope(*command, "-m", "seed=0,1", "logger=wandb")
    assert (ended.code, ended.err) == (0, "")
    first, second = offline_parts(tmp_path / "runs")
    for part in (first, second):
        assert part.exit == 0
        assert [line["epoch"] for line in part.history if "layers_by_steps/path" in line] == [0, 1, 2]
        assert len(list((part.file.parent / "files" / "media").rglob("*.json"))) > 3
    assert first.id != second.id


def test_a_server_that_refuses_is_one_line(tmp_path, monkeypatch):
    def refuse(**_):
        raise wandb.errors.UsageError("No API key configured.\n Use `wandb login`")

    monkeypatch.setattr(wandb, "init", refuse)
    expected = "Expected `logger.wandb` to open a run, but got: No API key configured. Use `wandb login`; log in by "
    with pytest.raises(ValueError, match=expected), mirrored([make_mirror(tmp_path)], {}):
        pass


def test_variables_of_wandb_say_where_a_run_goes_and_whether_there_is_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "disabled")  # and no account
    monkeypatch.setenv("WANDB_PROJECT", "mine")
    monkeypatch.setenv("WANDB_ENTITY", "us")
    command = (*train(save_checkpoint(tmp_path / "tiny", "xlm-roberta")), "trainer.max_epochs=1", "logger=wandb")
    # a process of its own, for wandb remembers the variables of its first run
    ended = subprocess.run([sys.executable, "-m", "babelscope", *command], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert not list(Path("runs").rglob("*wandb*"))
    kept = OmegaConf.load("runs/0/run.yaml").logger.wandb
    assert (kept.project, kept.entity, kept.offline) == ("mine", "us", False)
