import errno
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from babelscope import files
from babelscope.files import write_json
from babelscope.report import table


def row(**changes):
    return {
        "run": "a",
        "step": 0,
        "epoch": 0,
        "layer": "0",
        "metric": "ilo",
        "language": "",
        "other": "",
        "value": 0.5,
    } | changes


def make_run(folder, *, rows=None, config="model: lab\n"):
    folder.mkdir(parents=True)
    (folder / "run.yaml").write_text(config)
    table.write(folder, "step_0", rows or [row()])
    return folder


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_rows_come_back_sorted_by_depth_with_fixed_types(tmp_path):
    layers = ["final", "10", "2", "", "0"]
    path = table.write(tmp_path, "step_0", (row(layer=layer, value=i) for i, layer in enumerate(layers)))
    table.write(tmp_path, "step_1", [row(step=1, language="eng_Latn", other="deu_Latn", value=float("nan"))])
    assert path == tmp_path / "results" / "step_0.parquet"
    rows = table.read(tmp_path)
    assert list(rows.columns) == list(table.COLUMNS)
    assert rows["layer"].tolist() == ["", "0", "2", "10", "final", "0"]
    assert rows["value"].tolist()[:5] == [3, 4, 2, 1, 0]
    assert rows["value"].isna().tolist() == [False] * 5 + [True]
    assert (rows["step"].dtype, rows["epoch"].dtype, rows["value"].dtype) == ("int64", "int64", "float64")
    assert pq.read_schema(path).equals(table.SCHEMA)


def test_the_same_name_replaces_the_part(tmp_path):
    table.write(tmp_path, "step_0", [row(value=0.1)])
    table.write(tmp_path, "step_0", [row(value=0.2)])
    assert table.read(tmp_path)["value"].tolist() == [0.2]
    assert names(tmp_path / "results") == ["step_0.parquet"]


def test_no_rows_is_a_part_too(tmp_path):
    table.write(tmp_path, "empty", [])
    assert table.read(tmp_path).empty


def test_a_full_disk_leaves_the_old_part_and_no_temporary(tmp_path, monkeypatch):
    table.write(tmp_path, "step_0", [row(value=0.1)])

    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        table.write(tmp_path, "step_0", [row(value=0.2)])
    with pytest.raises(OSError, match="No space left"):
        table.write(tmp_path, "step_1", [row(step=1)])
    assert names(tmp_path / "results") == ["step_0.parquet"]
    assert table.read(tmp_path)["value"].tolist() == [0.1]


def test_a_relative_folder_may_have_a_colon(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table.write(Path("trial:1"), "step_0", [row(value=0.1)])
    assert table.read(tmp_path / "trial:1")["value"].tolist() == [0.1]


def test_rows_that_fail_half_way_leave_nothing(tmp_path):
    def rows():
        yield row()
        raise RuntimeError("metric")

    with pytest.raises(RuntimeError, match="metric"):
        table.write(tmp_path, "step_0", rows())
    assert names(tmp_path) == []


@pytest.mark.parametrize("bad", [{"run": "a"}, row(extra=1)])
def test_wrong_columns_are_refused(tmp_path, bad):
    with pytest.raises(ValueError, match=r"Expected argument `rows` .* columns run, step") as error:
        table.write(tmp_path, "step_0", [bad])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["", "a/b", "../x", ".hidden"])
def test_a_name_that_is_a_path_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match="plain file name"):
        table.write(tmp_path, name, [row()])


def test_a_row_in_two_parts_is_refused(tmp_path):
    table.write(tmp_path, "a", [row(value=0.1)])
    table.write(tmp_path, "b", [row(value=0.2)])
    with pytest.raises(ValueError, match="run=a, step=0, layer=0, metric=ilo twice"):
        table.read(tmp_path)


def test_an_unreadable_part_is_named(tmp_path):
    make_run(tmp_path / "run")
    (tmp_path / "run" / "results" / "torn.parquet").write_bytes(b"PAR1 torn")
    with pytest.raises(ValueError, match=r"torn\.parquet to be a readable") as error:
        table.read_run(tmp_path / "run")
    assert "\n" not in str(error.value)


def test_a_part_with_other_columns_is_named(tmp_path):
    (tmp_path / "results").mkdir()
    pd.DataFrame({"step": [1], "value": [0.5]}).to_parquet(tmp_path / "results" / "odd.parquet")
    with pytest.raises(ValueError, match=r"odd\.parquet to be rows of Babelscope, but it is another Parquet") as error:
        table.read(tmp_path)
    said = "without the columns run, epoch, layer, metric, language, other; move it out of the run folder."
    assert str(error.value).endswith(said)
    whole = {name: ["one"] for name in table.COLUMNS}
    pd.DataFrame(whole).to_parquet(tmp_path / "results" / "odd.parquet")
    with pytest.raises(ValueError, match=r"odd\.parquet to be a readable .*; remove it to do without its step"):
        table.read(tmp_path)


def test_runs_are_found_at_any_depth(tmp_path):
    make_run(tmp_path / "sweep" / "b")
    make_run(tmp_path / "a", config="freeze: {blocks: [[0, 2]]}\n")
    (tmp_path / "sweep" / "other").mkdir()
    write_json(tmp_path / "a", "manifest", {"model": "lab", "layers": ["0"]})
    first, second = map(table.read_run, table.run_folders(tmp_path))
    assert [first.folder, second.folder] == [tmp_path / "a", tmp_path / "sweep" / "b"]
    assert first.config["freeze"]["blocks"] == [[0, 2]]
    assert first.manifest["model"] == "lab"
    assert second.manifest == {}
    assert len(second.rows) == 1
    assert table.run_folders(tmp_path / "a") == [tmp_path / "a"]


def test_what_is_no_run_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"run folders .* an empty folder"):
        table.run_folders(tmp_path)
    with pytest.raises(ValueError, match="no such folder"):
        table.run_folders(tmp_path / "nowhere")
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(ValueError, match=r"run folder .* notes\.txt"):
        table.read_run(tmp_path)


@pytest.mark.parametrize(("name", "text"), [("run.yaml", "a: [1"), ("manifest.json", "{")])
def test_torn_config_or_manifest_is_named(tmp_path, name, text):
    make_run(tmp_path / "a")
    (tmp_path / "a" / name).write_text(text)
    with pytest.raises(ValueError, match=r"run\.yaml and manifest\.json in .*a to be readable") as error:
        table.read_run(tmp_path / "a")
    assert "\n" not in str(error.value)


def test_layers_are_sorted_by_depth():
    assert table.sort_layers(["final", "10", "", "9", "0", "9"]) == ["0", "9", "10", "final"]


@pytest.mark.parametrize(("step", "left", "begins"), [(0, [0], "begins anew"), (5, [0, 5], "goes on from step 5")])
def test_rows_after_the_step_that_a_training_goes_on_from_are_dropped(tmp_path, caplog, step, left, begins):
    for at in (0, 5, 10):
        table.write_step(tmp_path, "layers", at, [])
    kept = [table.write_step(tmp_path, "neurons", 10, []), table.write(tmp_path, "layers-mine", [])]
    table.drop_later(tmp_path, "layers", step)
    wanted = [tmp_path / "results" / f"layers-{at:08d}.parquet" for at in left]
    assert sorted((tmp_path / "results").iterdir()) == sorted([*kept, *wanted])
    assert f"Training {begins} in {tmp_path}, so the rows of {3 - len(left)} later steps (layers) are" in caplog.text
