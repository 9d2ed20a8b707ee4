import json
from pathlib import Path

import pytest

from babelscope.models.checkpoint import resolve_checkpoint
from babelscope.models.load import load
from tests.models.tiny import save_checkpoint


def write_config(folder: Path, text: str = '{"model_type": "bert"}') -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(text)
    return folder


def test_a_folder_and_a_step_inside_it(tmp_path):
    write_config(tmp_path)
    write_config(tmp_path / "step=10")
    assert resolve_checkpoint(tmp_path, None, False).name_or_path == str(tmp_path)
    assert resolve_checkpoint(tmp_path, "step=10", False).name_or_path == str(tmp_path / "step=10")
    assert resolve_checkpoint(tmp_path, "step=10", False).revision is None


def test_a_hub_id_keeps_its_revision():
    found = resolve_checkpoint("bigscience/bloom-560m-intermediate", "global_step1000", False)
    assert (found.name_or_path, found.revision, found.local) == (
        "bigscience/bloom-560m-intermediate",
        "global_step1000",
        False,
    )
    assert str(found) == "bigscience/bloom-560m-intermediate at revision global_step1000"


def test_a_revision_loads_from_its_subfolder(tmp_path):
    save_checkpoint(tmp_path / "step=1", "bloom", seed=1)
    assert load(tmp_path, revision="step=1").parts.layers[-1] == "final"


def test_an_unknown_revision_lists_those_that_exist(tmp_path):
    write_config(tmp_path)
    with pytest.raises(ValueError, match=r"but got 'step=3'; it has none, so leave model\.revision out"):
        resolve_checkpoint(tmp_path, "step=3", False)
    write_config(tmp_path / "step=1")
    write_config(tmp_path / "step=2")
    with pytest.raises(ValueError, match=r"but got 'step=3'; it has step=1, step=2\.$"):
        resolve_checkpoint(tmp_path, "step=3", False)


def test_a_folder_of_steps_alone_says_which(tmp_path):
    write_config(tmp_path / "step=1")
    with pytest.raises(ValueError, match=r"has none; .* or a model\.revision of this one \(step=1\)"):
        resolve_checkpoint(tmp_path, None, False)


def test_a_run_stands_for_the_model_that_it_kept(tmp_path):
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(ValueError, match=r"or a run that kept its model, but .* kept none; .* with `export` among"):
        resolve_checkpoint(tmp_path, None, False)
    write_config(tmp_path / "model")
    assert resolve_checkpoint(tmp_path, None, False).name_or_path == str(tmp_path / "model")


@pytest.mark.parametrize("name", ["./nothing", "/nothing/here", "a/b/c", "~/no-such-folder-at-all"])
def test_a_path_that_is_none_is_no_hub_id(name):
    with pytest.raises(ValueError, match=r"Expected `model\.checkpoint` to be a folder or a Hub id, but got "):
        resolve_checkpoint(name, None, False)


def test_a_file_is_no_checkpoint(tmp_path, monkeypatch):
    (tmp_path / "model").write_text("")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="but got 'model', where there is no folder"):
        resolve_checkpoint("model", None, False)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"to be JSON, but .*config\.json is not \("),
        ("{}", r"to have a model_type, but .*config\.json has none"),
        ("[]", r"to have a model_type, but .*config\.json has none"),
        (json.dumps({"model_type": "unheard-of"}), "one of apertus, bert, .* but got 'unheard-of'"),
    ],
)
def test_a_configuration_must_name_a_known_model_type(text, message, tmp_path):
    write_config(tmp_path, text)
    with pytest.raises(ValueError, match=message) as caught:
        load(tmp_path)
    assert "\n" not in str(caught.value)
