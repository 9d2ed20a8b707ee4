"""The ledger's files: what comes back, and what is no entry."""

import json

import pytest

from babelscope.sweeps.ledger import folder_of, read_entry, write_entry
from tests.sweeps.entries import ENTRY


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "{}", '"x"', json.dumps({"state": "done"}), b"\xff\xfe", "[" * 100_000],
    ids=["empty", "torn", "list", "null", "no keys", "text", "other keys", "binary", "deep"],
)
def test_what_is_no_entry_is_a_value_error(text, tmp_path):
    path = tmp_path / "x.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match=r"x\.json to be an entry of the ledger, but got"):
        read_entry(path)


@pytest.mark.parametrize("change", [{"pid": True}, {"start": "soon"}, {"overrides": [1]}, {"start": "2026-01-01"}])
def test_wrong_values_are_a_value_error(change, tmp_path):
    path = write_entry(tmp_path / "run", ENTRY)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ValueError, match="to be an entry of the ledger, but got"):
        read_entry(path)


def test_an_entry_comes_back(tmp_path):
    path = write_entry(tmp_path / "runs" / "model-0.5", ENTRY)
    assert path == tmp_path / "runs" / ".jobs" / "model-0.5.json"
    assert read_entry(path) == ENTRY
    assert folder_of(path) == tmp_path / "runs" / "model-0.5"
    assert ENTRY.seconds() == 65
    path.write_text(json.dumps({**json.loads(path.read_text()), "of_a_later_version": 1}))
    assert read_entry(path) == ENTRY


@pytest.mark.parametrize("key", ["slurm", "log", "config_dir", "exit"])
def test_a_key_that_may_be_empty_may_be_missing(key, tmp_path):
    path = write_entry(tmp_path / "run", ENTRY)
    held = json.loads(path.read_text())
    del held[key]
    path.write_text(json.dumps(held))
    assert read_entry(path) == ENTRY
