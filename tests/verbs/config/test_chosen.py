"""Keys of an adapter, a callback and so on that is not chosen: refused with the choice to make."""

import pytest

from tests.verbs.command import refused, says

pytestmark = pytest.mark.usefixtures("somewhere")

NOWHERE = "model.checkpoint=./nowhere"
"""What ends soon if it is not refused."""


@pytest.mark.parametrize("plus", ["", "+"])
@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("adapter.r=16", ("`adapter`", "choose adapter=lora")),
        ("alignment.weight=0.5", ("`alignment`", "choose alignment=contrast")),
        ("callbacks.early_stopping.patience=3", ("`callbacks.early_stopping`", "callbacks=[...,early_stopping]")),
        ("metrics.cka.pivot=null", ("`metrics.cka`", "metrics=[...,cka]")),
    ],
)
def test_a_key_of_the_command(plus, override, words):
    says(refused("train", f"{plus}{override}", NOWHERE), *words, "to be chosen before its keys are set", "as well")


def test_a_key_of_a_logger():
    says(refused("train", "logger=csv", "+logger.wandb.offline=true", NOWHERE), "`logger.wandb`", "logger=[...,wandb]")


def test_a_key_beside_none():
    says(
        refused("train", "callbacks=none", "callbacks.checkpoint.every_n_minutes=3", NOWHERE), "callbacks=[checkpoint]"
    )


@pytest.mark.parametrize(("value", "shown"), [("null", "null"), ("3", "3")])
def test_a_callback_that_is_none(value, shown):
    line = refused("train", f"callbacks.export={value}", NOWHERE)
    says(line, "`callbacks.export`", f"but got {shown} alone", "'~callbacks.export'")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("adapter: {rank: 8}", ("`adapter`", "{'rank': 8}", "adapter=lora", "`- override /adapter: NAME`")),
        ("alignment: {weight: 2}", ("`alignment`", "{'weight': 2}", "alignment=contrast")),
        ("callbacks: {chekpoint: {every_n_minutes: 3}}", ("`callbacks.chekpoint`", "'~callbacks.chekpoint'")),
    ],
)
def test_an_experiment_that_forgets_its_choice(tmp_path, text, words):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text(f"# @package _global_\n{text}\n")
    says(refused("train", "--config-dir", tmp_path, "experiment=mine", NOWHERE), *words)


def test_a_key_that_its_group_lacks_may_still_be_added():
    says(refused("train", "task.languages=[eng_Latn]", NOWHERE), "`task`", "+task.languages=VALUE adds one")
