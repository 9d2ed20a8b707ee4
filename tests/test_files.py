import json
from pathlib import Path

import pytest

from babelscope.files import whole_folder, write_json, write_text


def test_a_folder_appears_when_it_is_whole_and_replaces_the_old_one(tmp_path):
    folder = tmp_path / "deep" / "made"
    for text in ("old", "new"):
        with whole_folder(folder) as temporary:
            (temporary / "file").write_text(text)
            assert not folder.exists() or (folder / "file").read_text() == "old"
        assert (folder / "file").read_text() == text
    assert [path.name for path in folder.parent.iterdir()] == ["made"]
    assert folder.stat().st_mode & 0o055 == 0o055 & folder.parent.stat().st_mode  # readable like its neighbours


def test_a_failure_leaves_the_old_folder_and_nothing_else(tmp_path):
    folder = tmp_path / "made"
    with whole_folder(folder) as temporary:
        (temporary / "file").write_text("old")

    def interrupted():
        with whole_folder(folder) as temporary:
            (temporary / "file").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert (folder / "file").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["made"]


@pytest.mark.parametrize("moment", ["before the end", "at the end"])
def test_what_somebody_else_has_made_meanwhile_stays(tmp_path, monkeypatch, moment):
    folder = tmp_path / "states"

    def other():
        folder.mkdir()
        (folder / "manifest.json").write_text("theirs")

    if moment == "at the end":
        replace = Path.replace
        monkeypatch.setattr(Path, "replace", lambda *names: (other(), replace(*names))[1])
    with whole_folder(folder, keep="manifest.json") as temporary:
        (temporary / "manifest.json").write_text("ours")
        if moment == "before the end":
            other()
    assert (folder / "manifest.json").read_text() == "theirs"
    assert [path.name for path in tmp_path.iterdir()] == ["states"]


def test_a_folder_without_the_file_is_replaced(tmp_path):
    (tmp_path / "states").mkdir()
    with whole_folder(tmp_path / "states", keep="manifest.json") as temporary:
        (temporary / "manifest.json").write_text("ours")
    assert (tmp_path / "states" / "manifest.json").read_text() == "ours"


def test_json_and_text_are_whole(tmp_path):
    path = write_json(tmp_path / "new", "manifest", {"b": 1, "a": "ʒ"})
    assert list(json.loads(path.read_text(encoding="utf-8"))) == ["b", "a"]
    with pytest.raises(TypeError):
        write_json(tmp_path / "new", "manifest", {"b": object()})
    assert write_text(tmp_path / "new" / "run.yaml", "x: é\n").read_text(encoding="utf-8") == "x: é\n"
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["manifest.json", "run.yaml"]
