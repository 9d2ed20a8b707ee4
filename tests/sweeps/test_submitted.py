import os

import pytest

from babelscope.sweeps.ledger import write_entry
from babelscope.sweeps.submitted import SETTLES_S, read_submission, record_submission, submissions
from tests.sweeps.entries import ENTRY


def test_the_last_job_of_a_folder_is_found(tmp_path):
    folder = tmp_path / "run"
    assert read_submission(folder) is None
    record_submission(folder, "12", "logs/%j")
    record_submission(folder, "13_2", str(tmp_path / "logs" / "%j"))
    found = read_submission(folder)
    assert (found.job, found.logs, found.entry) == ("13_2", str(tmp_path / "logs" / "%j"), None)
    record_submission(folder, "14", "logs", ENTRY)
    assert read_submission(folder).entry == ENTRY


def test_jobs_that_leave_the_queue_do_not_wait(tmp_path):
    for name, job in (("a", "1"), ("b", "2"), ("c", "3"), ("d", "4_1")):
        record_submission(tmp_path / name, job, "logs")
    queue = {"1": "PENDING", "2": "COMPLETING", "4_1": "RUNNING"}
    found = submissions(tmp_path)
    assert [folder.name for folder, one in found.items() if one.waits(queue)] == ["a", "d"]
    assert submissions(tmp_path / "d").keys() == {tmp_path / "d"}


def test_a_job_is_over_once_it_has_left_the_queue_and_what_it_wrote_can_be_seen(tmp_path):
    folder = tmp_path / "run"
    record_submission(folder, "1", "logs")
    assert not read_submission(folder).is_over({})  # submitted just now
    before(folder)
    assert read_submission(folder).is_over({})
    assert not read_submission(folder).is_over({"1": "COMPLETING"})
    assert not read_submission(folder).is_over(None)  # nobody knows


def test_a_job_has_begun_if_it_wrote_anything_since_it_was_submitted(tmp_path):
    folder = tmp_path / "run"
    record_submission(folder, "1", "logs")
    assert not read_submission(folder).began(folder)
    folder.mkdir()
    (folder / "run.yaml").write_text("")  # and its entry was removed
    assert read_submission(folder).began(folder)
    os.utime(write_entry(folder, ENTRY), (1, 1))  # of a job before this one
    assert not read_submission(folder).began(folder)
    write_entry(folder, ENTRY)
    assert read_submission(folder).began(folder)


def before(folder):
    """As if its job had been submitted some time ago."""
    (place,) = folder.parent.rglob(f"{folder.name}.slurm")
    then = place.stat().st_mtime - SETTLES_S - 1
    os.utime(place, (then, then))


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"job": "1"}'])
def test_a_torn_file_is_named(text, tmp_path):
    record_submission(tmp_path / "run", "1", "logs")
    (file,) = tmp_path.rglob("*.slurm")
    file.write_text(text)
    with pytest.raises(ValueError, match=r"to name a job of Slurm, but got: .*; remove it") as caught:
        read_submission(tmp_path / "run")
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)
