import pytest

from babelscope.data.folders import whole_folder


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
