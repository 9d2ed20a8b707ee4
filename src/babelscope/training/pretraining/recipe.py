"""What a small checkpoint is made by: its numbers, checked before anything slow."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from numbers import Integral, Real
from typing import Any

from babelscope.data.corpora import Corpus
from babelscope.models.families import FAMILIES
from babelscope.training.pretraining.new_tokenizer import TrainTokenizer


@dataclass(frozen=True)
class Recipe:
    """How a small checkpoint is made.

    Args:
        config: Hugging Face configuration, with `model_type`; vocabulary and special tokens come from the tokenizer.
        tokenizer: Trains a tokenizer from texts.
        steps: Optimizer steps.
        pairs: Translation pairs per step, for the contrastive term.
        texts: Sentences per step, for the family's own objective, whose output layer is the costly part.
        learning_rate: Peak, after a linear warm-up over a tenth of the steps.
        contrast: Weight of the contrastive term over translations; 0 leaves it out.
        contrast_layers: Layers, in Babelscope's convention, whose pooled states it pulls together.
        temperature: Of the contrastive term.
        token_spread: Standard deviation of the token table at the start; None: the family's own, which for mT5 is 1,
            too far from the origin to be moved within some hundred steps.
        keep: Steps after which a revision `step=N` is kept; those after the last are for longer recipes.

    Raises:
        ValueError: if a value does not fit; the message has its key in `model.recipe`.
    """

    config: Mapping[str, Any]
    tokenizer: TrainTokenizer
    steps: int = 600
    pairs: int = 32
    texts: int = 24
    learning_rate: float = 2.5e-3
    contrast: float = 2.0
    contrast_layers: Sequence[str] = ("3",)
    temperature: float = 0.1
    token_spread: float | None = None
    keep: Sequence[int] = (0, 50, 100, 200, 400)

    def __post_init__(self) -> None:
        """Check every value by itself; what depends on the text or the model is checked where they are known."""
        for key in ("steps", "pairs", "texts"):
            _expect(key, value := getattr(self, key), "a whole number from 1", _is_whole(value, 1))
        rate, temperature = self.learning_rate, self.temperature
        _expect("learning_rate", rate, "a number above 0", _is_number(rate) and rate > 0)
        _expect("temperature", temperature, "a number above 0", _is_number(temperature) and temperature > 0)
        _expect("contrast", self.contrast, "a number from 0", _is_number(self.contrast) and self.contrast >= 0)
        spread = self.token_spread
        is_spread = spread is None or (_is_number(spread) and spread >= 0)
        _expect("token_spread", spread, "null or a number from 0", is_spread, "null")
        layers = self.contrast_layers
        are_names = _is_list(layers, lambda layer: isinstance(layer, str)) and len(layers) > 0
        _expect("contrast_layers", layers, "a list of layers, whose names are text", are_names, "['3']")
        are_steps = _is_list(self.keep, lambda step: _is_whole(step, 0))
        _expect("keep", self.keep, "a list of steps from 0", are_steps, f"[0,{self.steps}]")
        has_type = isinstance(self.config, Mapping) and "model_type" in self.config
        _expect("config", self.config, "a configuration with a model_type", has_type, "{model_type: llama}")
        model_type = self.config["model_type"]
        _expect("config.model_type", model_type, f"one of {', '.join(FAMILIES)}", model_type in [*FAMILIES], "llama")
        _expect("tokenizer", self.tokenizer, "a function of texts", callable(self.tokenizer), "{_target_: ...}")

    def fingerprint(self, corpus: Corpus, weights: Mapping[str, float], seed: int) -> str:
        """Hash all that the weights depend on, so that a changed recipe is another checkpoint."""
        trainer = getattr(self.tokenizer, "func", self.tokenizer)
        made_by = {"tokenizer": trainer.__name__, **getattr(self.tokenizer, "keywords", {})}
        numbers = {key: value for key, value in vars(self).items() if key != "tokenizer"}
        whole = [numbers, made_by, corpus.fingerprint(), dict(weights), seed]
        return hashlib.sha256(json.dumps(whole, sort_keys=True, default=list).encode()).hexdigest()


def _expect(key: str, value: Any, contract: str, holds: bool, usual: str | None = None) -> None:
    if not holds:
        raise ValueError(
            f"Expected `model.recipe.{key}` to be {contract}, but got {'null' if value is None else repr(value)}; "
            f'correct it, as in "model.recipe.{key}={usual or getattr(Recipe, key)}".'
        )


def _is_whole(value: Any, least: int) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= least


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and isfinite(value)


def _is_list(value: Any, fits: Callable[[Any], bool]) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str) and all(map(fits, value))
