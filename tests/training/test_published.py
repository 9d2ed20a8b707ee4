import pytest

from babelscope.report.table import write_step
from babelscope.training.published import Published


def rows_of(step, n=2):
    keys = {"run": "r", "step": step, "epoch": step, "layer": "1", "metric": "m", "language": "eng_Latn"}
    return [{**keys, "other": f"o{i}", "value": i / 3} for i in range(n)]


@pytest.mark.parametrize("on_disk", [False, True])
def test_rows_come_back_as_they_were_added_and_later_ones_are_forgotten(on_disk, tmp_path):
    published = Published()
    for step in (0, 4, 8):
        rows = rows_of(step)
        published.add(step, rows, write_step(tmp_path / "a:b", "layers", step, rows) if on_disk else None)
    assert published.read() == [*rows_of(0), *rows_of(4), *rows_of(8)]
    published.drop_later(4)
    assert published.read() == [*rows_of(0), *rows_of(4)]


def test_a_step_that_is_written_anew_is_there_once(tmp_path):
    published = Published()
    for n in (2, 3):
        published.add(4, rows_of(4, n), write_step(tmp_path, "layers", 4, rows_of(4, n)))
    assert published.read() == rows_of(4, 3)


def test_rows_in_files_are_not_kept_in_memory(tmp_path):
    published = Published()
    file = write_step(tmp_path, "layers", 0, rows_of(0))
    published.add(0, rows_of(0), file)
    file.unlink()
    with pytest.raises(FileNotFoundError, match="layers-00000000"):
        published.read()
