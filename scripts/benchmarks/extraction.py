"""Pooled states of all layers against the published recipe: batch size 1, all hidden states kept."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedModel

from babelscope.data.corpora import Corpus
from babelscope.models import parts_of
from babelscope.states.embed import Pooled, embed, prepare
from babelscope.states.pool import mean
from benchmarks.data import all_texts, make_encoder, make_tokenizer, pool_one_by_one, read_corpus
from benchmarks.result import Check, Line, Settings
from benchmarks.timing import interleave, once

TARGETS = {torch.float32: 1.9, torch.bfloat16: 5.5}


def measure(settings: Settings) -> Iterator[Line]:
    corpus, tokenizer, width, depth = setting(settings)
    reference = make_encoder(len(tokenizer), width, depth)
    for dtype, target in TARGETS.items():
        model = make_encoder(len(tokenizer), width, depth, dtype=dtype)
        prepared, tokenizing = once(lambda: prepare(corpus, tokenizer))
        pairs = interleave(
            lambda model=model: pool(model, tokenizer, corpus),  # type: ignore[misc]
            lambda: pool_one_by_one(reference, tokenizer, all_texts(corpus)),
            settings.repeats,
            warm=False,
        )
        both = list(zip(pairs.our_result.layers.values(), pairs.their_result, strict=True))
        error = float(np.max([float((a - b).abs().max() / b.abs().max()) for a, b in both]))
        cosine = float(np.min([float(torch.cosine_similarity(a.double(), b.double()).min()) for a, b in both]))
        exact = dtype == torch.float32
        yield Line(
            f"pooled states, {describe(corpus, width, depth)}, {_name(dtype)} weights",
            "batch size 1, all hidden states, float32",
            pairs.ours,
            pairs.theirs,
            target=target,
            checks=[
                Check("largest difference to the largest state", error, "<=", 1e-5)
                if exact
                else Check("lowest cosine to float32", cosine, ">=", 0.99)
            ],
            extras={
                "lowest cosine": cosine,
                "tokens": sum(int(batch.attention_mask.sum()) for batch in prepared.batches),
                "seconds of tokenizing, in ours": tokenizing,
            },
        )


def setting(settings: Settings) -> tuple[Corpus, Any, int, int]:
    """Corpus, tokenizer, width and depth of this size."""
    languages, sentences, size, width, depth = (5, 12, 400, 64, 2) if settings.quick else (31, 204, 8000, 384, 6)
    corpus = read_corpus(settings.corpus, languages, sentences)
    return corpus, make_tokenizer(corpus, size), width, depth


def pool(model: PreTrainedModel, tokenizer: Any, corpus: Corpus) -> Pooled:
    """From text to states, tokenizing counted in as in the recipe."""
    return embed(parts_of(model), prepare(corpus, tokenizer), mean)


def describe(corpus: Corpus, width: int, depth: int) -> str:
    return f"{len(corpus.languages)} x {len(corpus)} sentences ({corpus.name}), {depth} layers x {width}"


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
