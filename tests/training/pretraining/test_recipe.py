from dataclasses import replace
from functools import partial

import pytest

from babelscope.data.vocabulary import llama_bpe
from babelscope.training.pretraining.recipe import Recipe

GOOD = Recipe(config={"model_type": "llama"}, tokenizer=partial(llama_bpe, size=700), steps=2, keep=(0, 2))


@pytest.mark.parametrize(
    ("key", "values"),
    {
        "steps": (0, -1, 1.5, None, True, "two"),
        "pairs": (0, 2.0),
        "texts": (0, None),
        "learning_rate": (0, -1, float("nan"), float("inf"), "fast", None),
        "temperature": (0, -0.1, float("nan"), True),
        "contrast": (-1, float("nan"), None),
        "contrast_layers": ([], [3], 3, "3", None),
        "token_spread": (-1, "wide"),
        "keep": ([-1], ["a"], [1.0], [True], 3, None, "0"),
        "config": (5, {}, None),
        "config.model_type": ({"model_type": None}, {"model_type": "nope"}, {"model_type": ["llama"]}),
        "tokenizer": (5, None),
    }.items(),
)
def test_a_value_out_of_bounds_is_named_by_its_key(key, values):
    for value in values:
        with pytest.raises(
            ValueError, match=rf"^Expected `model\.recipe\.{key}` to be .*, but got .*; correct it, as in"
        ):
            replace(GOOD, **{key.split(".")[0]: value})


def test_what_is_at_the_bounds_is_taken():
    replace(GOOD, steps=1, pairs=1, texts=1, contrast=0, token_spread=0.0, keep=[], contrast_layers=["0", "final"])
    replace(GOOD, keep=(0, 1, 9999), learning_rate=2)
