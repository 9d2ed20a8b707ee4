"""What a run folder holds, and where another configuration differs."""

import pytest
from omegaconf import OmegaConf

from babelscope.verbs.folder.kept import RefusedError, _first_difference, is_finished, refuse_another


def test_the_first_key_that_differs():
    kept = {"a": {"b": [1, 2], "c": 1.0}, "d": None}
    assert _first_difference(kept, {"d": None, "a": {"c": 1, "b": [1, 2]}}) is None
    assert _first_difference(kept, {**kept, "a": {"b": [1, 3], "c": 1.0}}) == ("a.b", "[1, 2]", "[1, 3]")
    assert _first_difference(kept, {**kept, "e": "é"}) == ("e", "no such key", '"é"')
    assert _first_difference(kept, {"a": kept["a"]}) == ("d", "null", "no such key")
    assert _first_difference({"a": {"b": 1}}, {"a": None}) == ("a", '{"b": 1}', "null")


@pytest.mark.parametrize("name", ["run.yaml", "manifest.json"])
@pytest.mark.parametrize("damage", [b"", b"null", b"\xb7\x00\x01", b"{a: [", b"just words"])
def test_what_is_damaged_is_not_finished_and_only_its_job_says_so(tmp_path, name, damage):
    cfg = OmegaConf.create({"seed": 1})
    for file, text in (("run.yaml", "seed: 1\n"), ("manifest.json", '{"finished": true}')):
        (tmp_path / file).write_text(text)
    assert is_finished(cfg, tmp_path)
    refuse_another(cfg, tmp_path)
    (tmp_path / name).write_bytes(damage)
    assert not is_finished(cfg, tmp_path)
    if name == "run.yaml" and damage not in (b"", b"null"):
        with pytest.raises(RefusedError, match="delete"):
            refuse_another(cfg, tmp_path)
