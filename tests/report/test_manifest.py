"""A manifest that was edited by hand is refused in one line, not in the midst of a page."""

import json
from copy import deepcopy

import pytest
from tests.report.conftest import write_run

from babelscope.report.table import read_head

HELD = {"corpus": {"name": "lab", "sentences": 9, "languages": ["eng_Latn"]}, "tensor": {"rows": 3, "width": 2}}
PART = {"part": "inputs", "parameters": 3, "trainable": 0}
NEURONS = {"layers": 2, "per_layer": 8}


@pytest.fixture
def folder(tmp_path):
    return write_run(tmp_path / "run", steps=1)


def edit(folder, key, value):
    manifest = json.loads((folder / "manifest.json").read_text()) | deepcopy(HELD)
    holder, _, name = key.rpartition(".")
    (manifest.setdefault(holder, dict(NEURONS)) if holder else manifest)[name] = value
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("trainable", 3),
        ("trainable", {}),
        ("trainable", [{**PART, "parameters": "x"}]),
        ("trainable", [{"part": "inputs"}]),
        ("setting", []),
        ("corpus", "lab"),
        ("corpus.languages", "x"),
        ("corpus.languages", [3]),
        ("corpus.sentences", []),
        ("tensor", 3),
        ("tensor.rows", None),
        ("tensor.tied", []),
        ("label_changes", "x"),
        ("neurons", None),
        ("neurons", {"layers": 2}),
        ("neurons.criteria", {"z": 3}),
        ("neurons.empty", {"z": 3}),
        ("neurons.left_out", "x"),
    ],
)
def test_a_field_of_another_kind_is_named(folder, key, value):
    edit(folder, key, value)
    with pytest.raises(ValueError, match=rf"^Expected `{key}` in \S+/run/manifest\.json to be .+, but got .+; correct"):
        read_head(folder)


@pytest.mark.parametrize("value", [3, [], "x"])
def test_a_file_of_another_kind_is_named(folder, value):
    (folder / "manifest.json").write_text(json.dumps(value))
    with pytest.raises(ValueError, match="to be mappings"):
        read_head(folder)


@pytest.mark.parametrize("key", ["trainable", "setting", "corpus", "corpus.languages", "layers", "tensor"])
def test_null_is_as_good_as_nothing(folder, key):
    edit(folder, key, None)
    assert read_head(folder).manifest
