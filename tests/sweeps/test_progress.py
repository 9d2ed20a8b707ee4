"""The last epoch of a run, without reading its rows."""

import pyarrow.parquet as pq
import pytest

from babelscope.report.table import write
from babelscope.sweeps import progress
from babelscope.sweeps.progress import progress_of

ROW = {"run": "a", "layer": "", "metric": "loss", "language": "eng_Latn", "other": "", "value": 1.0, "step": 120}


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "10:30"  # which Arrow takes for an address
    rows = [{**ROW, "epoch": epoch} for epoch in (1, 2, 3, 2)]
    write(folder, "layers-00000120", rows)
    (folder / "run.yaml").write_text("trainer:\n  max_epochs: 5\n")
    return folder


def test_no_row_is_read(run, monkeypatch):
    monkeypatch.setattr(progress.pq.ParquetFile, "read", None)
    assert progress_of(run) == "epoch 3/5, step 120"


@pytest.mark.parametrize("options", [{"write_statistics": False}, {"row_group_size": 1}])
def test_files_of_other_writers(run, options):
    part = run / "results" / "layers-00000120.parquet"
    with part.open("rb") as file:
        rows = pq.read_table(file)
    with part.open("wb") as file:
        pq.write_table(rows, file, **options)
    assert progress_of(run) == "epoch 3/5, step 120"


def test_another_parquet_file_is_named(run):
    part = run / "results" / "layers-00000120.parquet"
    with part.open("rb") as file:
        rows = pq.read_table(file)
    with part.open("wb") as file:
        pq.write_table(rows.drop_columns(["epoch"]), file)
    assert progress_of(run) == "layers-00000120.parquet cannot be read: ValueError"
