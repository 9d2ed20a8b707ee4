"""Wrap a loaded language model for the harness, correcting how HFLM adds special tokens."""

from collections.abc import Sequence
from functools import cache
from importlib import import_module
from typing import Any

from babelscope.analyses.downstream.harness import BACKENDS, quiet, refuse_unscored
from babelscope.models.load import Loaded
from babelscope.states.progress import Progress


def harness_model(
    loaded: Loaded, *, batch_size: int = 16, max_length: int | None = None, progress: Progress[Any] = list
) -> Any:
    """Hand a loaded language model, with its adapters as they are, to the harness; gives an instance of its HFLM.

    Args:
        loaded: Loaded with task "lm".
        batch_size: Prompts per forward pass.
        max_length: Longest prompt with its answer, in tokens; by default what the model can read.
        progress: Wraps the parts of the work, to show how far it is.

    Raises:
        ValueError: if the family has no likelihood of a continuation.
    """
    refuse_unscored(loaded.parts.family)
    return _harness_model_class()(
        loaded,
        backend=BACKENDS[loaded.parts.family.objective],
        batch_size=batch_size,
        max_length=max_length,
        progress=progress,
    )


@cache
def _harness_model_class() -> Any:
    base: Any = import_module("lm_eval.models.huggingface").HFLM

    class HarnessModel(base):
        """HFLM that shows progress, counts truncated prompts, and adds no duplicate or misplaced special token."""

        def __init__(self, loaded: Loaded, *, progress: Progress[Any], **settings: Any) -> None:
            with quiet():
                super().__init__(
                    pretrained=loaded.model, tokenizer=loaded.tokenizer, softmax_dtype="float32", **settings
                )
            self.progress, self.truncated = progress, 0
            ids = self.tokenizer("a")["input_ids"]
            self.closes = self.backend == "causal" and ids[-1] == self.tokenizer.eos_token_id
            self.opens = self.backend == "causal" and ids[0] == self.prefix_token_id
            self.rolling = False

        def tok_encode(self, string: str, *arguments: Any, **settings: Any) -> list[int]:
            """Encode without a trailing end-of-sentence token and without a second leading token.

            After an end of sentence, a causal model would not continue. Before a text whose likelihood is asked for
            without a prompt, the harness puts a first token even where the tokenizer has put it there already, and
            would score the second as if it were the text's.
            """
            ids: list[int] = super().tok_encode(string, *arguments, **settings)
            ids = ids[1:] if self.rolling and self.opens and ids[:1] == [self.prefix_token_id] else ids
            return ids[:-1] if self.closes and ids[-1:] == [self.tokenizer.eos_token_id] else ids

        def loglikelihood_rolling(self, requests: Sequence[Any], **settings: Any) -> list[float]:
            self.rolling = True
            try:
                likelihoods: list[float] = super().loglikelihood_rolling(requests, **settings)
            finally:
                self.rolling = False
            return likelihoods

        def tok_batch_encode(self, strings: list[str], *arguments: Any, **settings: Any) -> tuple[Any, Any]:
            if room := settings.get("left_truncate_len"):  # of tasks that generate
                self.truncated += sum(len(self.tok_encode(string)) > room for string in strings)
            ids, mask = super().tok_batch_encode(strings, *arguments, **settings)
            return (ids[:, :-1], mask[:, :-1]) if self.closes else (ids, mask)

        def _loglikelihood_tokens(self, requests: Sequence[Any], **settings: Any) -> list[Any]:
            room = self.max_length + 1
            self.truncated += sum(
                len(context) + (len(answer) if self.backend == "causal" else 1) > room
                for _, context, answer in requests
            )
            size = 32 * self.batch_size  # prompts are sorted by length within a part
            parts = [requests[start : start + size] for start in range(0, len(requests), size)]
            settings = {**settings, "disable_tqdm": True}
            answers = super()._loglikelihood_tokens  # `super` does not reach into a comprehension
            return [answer for part in self.progress(parts) for answer in answers(part, **settings)]

    return HarnessModel
