"""Names in `models`: composed by Hydra, so that a file may build on another one."""

from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

from babelscope.verbs import tokens
from tests.models.tiny import save_checkpoint
from tests.verbs.command import babelscope, refused, says

pytestmark = pytest.mark.usefixtures("somewhere")


@pytest.fixture
def composed(monkeypatch):
    """Compose `models` as the verb does, and read none of them."""

    def read(cfg: DictConfig, model: DictConfig) -> None:
        nodes.append(OmegaConf.to_container(model, resolve=True, throw_on_missing=True))
        if len(nodes) == len(cfg.models):
            raise ValueError("Expected nothing more.")

    nodes: list[Any] = []
    monkeypatch.setattr(tokens, "read_source", read)

    def compose(*arguments: object) -> list[Any]:
        nodes.clear()
        ended = babelscope("tokens", *arguments)
        assert (ended.code, ended.err) == (2, "babelscope: Expected nothing more.\n"), ended.err
        return list(nodes)

    return compose


@pytest.fixture
def own(tmp_path):
    folder = tmp_path / "conf"

    def write(file: str, **model: Any) -> None:
        (folder / "model").mkdir(parents=True, exist_ok=True)
        OmegaConf.save(model, folder / "model" / f"{file}.yaml")

    return folder, write


def test_a_model_that_builds_on_another(composed):
    small, parent = composed("models=[lab_bloom_small,lab_bloom]")
    assert (small["name"], parent["name"]) == ("lab_bloom_small", "lab_bloom")
    assert small["checkpoint"] is parent["checkpoint"] is None
    assert small["recipe"]["config"] == {**parent["recipe"]["config"], "hidden_size": 32, "n_layer": 4}
    assert small["recipe"]["steps"] == parent["recipe"]["steps"]


def test_ones_own_that_builds_on_one_of_ours_or_of_ones_own(composed, own):
    folder, write = own
    write("mine", defaults=["lab_bloom_small", "_self_"], learning_rate=0.5)
    write("larger", defaults=["mine", "_self_"], recipe={"config": {"n_layer": 8}})
    mine, larger = composed("--config-dir", folder, "models=[mine,larger]")
    assert (mine["name"], larger["name"]) == ("mine", "larger")
    assert (mine["learning_rate"], larger["learning_rate"]) == (0.5, 0.5)
    assert (mine["recipe"]["config"]["n_layer"], larger["recipe"]["config"]["n_layer"]) == (4, 8)


def test_ones_own_without_defaults_has_those_of_every_model(composed, own):
    folder, write = own
    write("bare", checkpoint="there/bare_one")
    write("named", checkpoint="there/it", name="mine")
    bare, named, hub = composed("--config-dir", folder, "models=[bare,named,org/model_x]")
    assert [bare["name"], named["name"], hub["name"]] == ["bare_one", "mine", "model_x"]
    assert [bare["dtype"], hub["dtype"], hub["checkpoint"]] == ["float32", "float32", "org/model_x"]


def test_an_unknown_name_or_parent(own, tmp_path):
    folder, write = own
    write("mine", defaults=["lab_blom", "_self_"])
    says(refused("tokens", "--config-dir", folder, "models=[min]"), "`models`", "'min'", "nearest: mine")
    says(refused("tokens", "--config-dir", folder, "models=[mine,lab_bloom]"), "`model`", "'lab_blom'", "lab_bloom")
    save_checkpoint(tmp_path / "tiny", "bloom")
    says(refused("tokens", f"models=[{tmp_path}/tiny,{tmp_path}/tiny]"), "'tiny' twice")
