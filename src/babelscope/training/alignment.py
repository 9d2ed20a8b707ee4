"""Keep languages together while a model is fine-tuned: a contrastive term on one layer, after dannigt/mid-align."""

from typing import Any, Literal

from torch import Tensor

from babelscope.data.corpora import Corpus
from babelscope.data.encoding import pad_id
from babelscope.models.parts import Parts
from babelscope.models.trainable import named_parts
from babelscope.training.contrast import collate_pairs, contrast
from babelscope.training.pairs import TranslationPairs


class ContrastiveTerm:
    """InfoNCE between translations on one layer's states, to be added to the loss of a task.

    The pairs of a batch depend on seed, epoch, batch and process alone, so a resumed run draws those it would have.

    Args:
        corpus: Parallel sentences, none of which is measured.
        tokenizer: The model's.
        parts: Of the model that is trained.
        source: The training language.
        layer: Name of the layer; None is the middle one, the output of block L/2.
        temperature: Of the similarities.
        weight: Of the term in the loss; with 0 it is not computed.
        pairs: Per batch and process.
        between: "source" pairs the source with each other language, "all" any two languages. Training on the source
            is what moves languages apart, so pairs with it use the term best.
        seed: Of the draw.
        max_length: Tokens per sentence at most.

    Raises:
        ValueError: if a number is out of range, the corpus has no pairs, the layer is unknown, or nothing below it
            trains.
    """

    def __init__(
        self,
        corpus: Corpus,
        tokenizer: Any,
        parts: Parts,
        *,
        source: str,
        layer: str | int | None = None,
        temperature: float = 0.1,
        weight: float = 1.0,
        pairs: int = 16,
        between: Literal["source", "all"] = "source",
        seed: int = 0,
        max_length: int = 128,
    ):
        for name, fits, contract, value in (
            ("temperature", temperature > 0, "positive", temperature),
            ("weight", weight >= 0, "at least 0", weight),
            ("pairs", pairs >= 2, "at least 2, for the other sentences are the negatives", pairs),
            (
                "corpus.sentences",
                len(corpus.ids) >= pairs,
                f"at least the {pairs} of `alignment.pairs`, which are distinct sentences",
                len(corpus.ids),
            ),
            ("between", between in ("source", "all"), "source or all", between),
        ):
            if not fits:
                raise ValueError(f"Expected `alignment.{name}` to be {contract}, but got {value!r}; correct it.")
        self.parts, self.temperature, self.weight = parts, temperature, weight
        self.layer = str(len(parts.blocks) // 2 if layer is None else layer)
        self._refuse_what_cannot_learn()
        self.pairs = TranslationPairs(
            corpus,
            tokenizer,
            dict.fromkeys(corpus.languages, 1.0),
            count=pairs,
            steps=0,
            seed=seed,
            max_length=max_length,
            pivot=source if between == "source" else None,
        )
        self.padding = pad_id(tokenizer)

    def __call__(self, *, epoch: int, batch: int, rank: int) -> Tensor:
        """Compute the term, without its weight, on the pairs of this batch and process."""
        device = self.parts.device
        drawn = collate_pairs(self.pairs.draw(epoch, batch, rank), self.padding)
        pairs = {name: value.to(device) for name, value in drawn.items()}
        return contrast(self.parts, pairs, (self.layer,), temperature=self.temperature)

    def _refuse_what_cannot_learn(self) -> None:
        layers = self.parts.layers
        if self.layer not in layers:
            raise ValueError(
                f"Expected `alignment.layer` to be one of {', '.join(layers)}, but got {self.layer!r}; "
                "write one of them, or null for the middle."
            )
        # a part per layer: inputs, the blocks and, where there is one, the final norm
        below = list(named_parts(self.parts))[: layers.index(self.layer) + 1]
        if not any(p.requires_grad for _, modules in below for module in modules for p in module.parameters()):
            raise ValueError(
                f"Expected something that trains at or below `alignment.layer`, but in layer {self.layer} and below "
                "all is frozen, so the term would change nothing; choose a higher layer, or freeze less."
            )
