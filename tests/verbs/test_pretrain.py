"""Recipes that cannot be: one line that names the key, before anything is made."""

from pathlib import Path

import pytest

from tests.verbs.command import babelscope, refused, says, written

pytestmark = pytest.mark.usefixtures("somewhere")

SMALL = ("model=lab_xlmr", "model.recipe.steps=2", "model.recipe.keep=[0]", "languages.codes=[eng_Latn,deu_Latn]")


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("temperature=0", ("a number above 0", "got 0", "model.recipe.temperature=0.1")),
        ("temperature=nan", ("a number above 0", "got nan")),
        ("contrast=-1", ("a number from 0", "got -1")),
        ("keep=[-1]", ("steps from 0,", "got [-1]", "model.recipe.keep=[0,2]")),
        ("keep=['a']", ("steps from 0,", "['a']")),
        ("keep=3", ("a list of steps", "got 3")),
        ("steps=0", ("a whole number from 1", "got 0")),
        ("steps=1.5", ("a whole number from 1", "got 1.5")),
        ("contrast_layers=['9']", ("the layers 0, 1, 2, 3, 4, 5, 6", "'9'")),
        ("contrast_layers=[]", ("a list of layers", "got []", "=['3']")),
        ("contrast_layers=[3]", ("whose names are text", "got [3]", "=['3']")),
        ("contrast_layers=3", ("a list of layers", "got 3")),
        ("token_spread=-1", ("null or a number from 0", "got -1", "=null")),
        ("tokenizer.size=10", ("room", "got 10", "write model.recipe.tokenizer.size=")),
        ("tokenizer.size=ten", ("a whole number", "'ten'")),
        ("tokenizer.sizes=10", ("`model.recipe.tokenizer`", "`sizes`", "nearest: size")),
        ("config.num_hidden_layers=0", ("a whole number from 1", "got 0")),
        ("config.hidden_size=0", ("a whole number from 1", "got 0")),
        ("config.hidden_size=63", ("`model.recipe.config`", "hidden size (63) is not a multiple")),
        ("config.max_position_embeddings=8", ("to be at least", "got 8", "raise it")),
        ("config.model_type=nope", ("one of xlm-roberta", "'nope'")),
        ("pairs=0", ("a whole number from 1", "got 0")),
        ("texts=0", ("a whole number from 1", "got 0")),
        ("learning_rate=-1", ("a number above 0", "got -1")),
    ],
)
def test_a_recipe_that_cannot_be(override, words):
    key = override.partition("=")[0]
    named = words if words[0].startswith("`model.") else (f"`model.recipe.{key}`", *words)
    plus = "++" if key == "tokenizer.sizes" else ""
    says(refused("pretrain", *SMALL, f"{plus}model.recipe.{override}"), *named)
    assert not [path for path in written(Path("../cache")) if path.endswith(".json")]


def test_a_training_that_diverges_is_not_kept():
    ended = babelscope("pretrain", *SMALL, "model.recipe.temperature=1e-40")
    says(
        ended.lines[-1],
        "babelscope: Expected `model.recipe`",
        "finite",
        "step 1",
        "lower it",
        "raise its temperature (1e-40)",
    )
    assert (ended.code, len(ended.lines)) == (2, 1), ended.err
    assert not [path for path in written(Path("../cache")) if path.endswith(".json") or ".writing" in path]


def test_other_verbs_name_the_key_too():
    says(refused("probe", "model=lab_xlmr", "model.recipe.temperature=0"), "`model.recipe.temperature`", "got 0")


def test_a_shorter_recipe_says_which_steps_it_cannot_keep():
    tiny = [f"model.recipe.config.{key}" for key in ("num_hidden_layers=1", "hidden_size=16", "intermediate_size=16")]
    given = ("model.recipe.keep=[0,1,200]", "model.recipe.contrast_layers=['1']", "folder=made", *tiny)
    ended = babelscope("pretrain", *SMALL, *given)
    assert (ended.code, "Not kept, for the last step is 2: 200" in ended.out) == (0, True), ended.err
    assert sorted(path.name for path in Path("made").glob("step=*")) == ["step=0", "step=1"]
