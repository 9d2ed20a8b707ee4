import pytest

from babelscope.sweeps.submitted import find, keep, waiting


def test_the_last_job_of_a_folder_is_found(tmp_path):
    folder = tmp_path / "run"
    assert find(folder) is None
    keep(folder, "12", "logs/%j")
    keep(folder, "13_2", str(tmp_path / "logs" / "%j"))
    assert find(folder) == ("13_2", str(tmp_path / "logs" / "%j"))


def test_jobs_that_leave_the_queue_do_not_wait(tmp_path):
    for name, job in (("a", "1"), ("b", "2"), ("c", "3"), ("d", "4_1")):
        keep(tmp_path / name, job, "logs")
    (ledger,) = {path.parent for path in tmp_path.rglob("*.slurm")}
    queue = {"1": "PENDING", "2": "COMPLETING", "4_1": "RUNNING"}
    assert waiting([ledger], queue) == {tmp_path / "a": "1", tmp_path / "d": "4_1"}


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"job": "1"}'])
def test_a_torn_file_is_named(text, tmp_path):
    keep(tmp_path / "run", "1", "logs")
    (file,) = tmp_path.rglob("*.slurm")
    file.write_text(text)
    with pytest.raises(ValueError, match=r"to name a job of Slurm, but got: .*; remove it") as caught:
        find(tmp_path / "run")
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)
