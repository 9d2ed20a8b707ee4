"""The rows that need a GPU, at the sizes of real models with random weights; every function runs on a CPU, too."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaModel

from babelscope.metrics import ilo, nearest_neighbours
from babelscope.metrics.precision import full_precision
from babelscope.metrics.score import score
from babelscope.models import parts_of
from babelscope.states.embed import Pooled, embed, prepare
from babelscope.states.pool import mean
from benchmarks import fine_tuning, probes
from benchmarks.data import all_texts, make_tokenizer, points, pool_one_by_one, read_corpus
from benchmarks.neighbours import K, compare
from benchmarks.profile import count_ilo, within
from benchmarks.result import Check, Line, Settings, Skip
from benchmarks.timing import interleave, once

TOKENS = 8192
"""Rows of the products that are timed alone."""


@dataclass(frozen=True)
class Shape:
    """Sizes; the default is that of LLaMA-2 7B and of XLM-R base."""

    llama: dict[str, Any] = field(default_factory=dict)
    """What differs from transformers' default, which is LLaMA-2 7B."""
    languages: int = 31
    sentences: int = 997
    vocabulary: int = 8000
    every: int = 100
    """The recipe runs on every n-th sentence, and counts n times."""
    widths: tuple[int, ...] = (768, 4096)
    probe: probes.Size = field(default_factory=probes.Size)
    layers: int = 3
    """On which scikit-learn fits."""
    tuning: fine_tuning.Size = field(default_factory=fine_tuning.Size)


def measure(settings: Settings) -> Iterator[Line]:
    if not torch.cuda.is_available():
        raise Skip("no CUDA device")
    yield from lines(settings, "cuda", Shape())


def lines(settings: Settings, device: str, shape: Shape) -> Iterator[Line]:
    for width in shape.widths:
        yield search(settings, device, points(shape.languages, shape.sentences, width).x)
    some = shape.probe.some(shape.layers)
    yield probes.plain(shape.probe, 1.0, some, device=device, target=30.0)
    yield probes.whole(shape.probe, 1.0, some, device=device, target=30.0)
    yield fine_tuning.line(settings, device, shape.tuning)
    yield profile(settings, device, shape)


def search(settings: Settings, device: str, x: Tensor) -> Line:
    """The 5-NN graph against faiss on the GPU, or an exact float32 search by torch where faiss has none."""
    x = x.to(device)
    u = nn.functional.normalize(x)
    faiss = _faiss_gpu() if device == "cuda" else None
    resources = None if faiss is None else faiss.StandardGpuResources()

    def theirs() -> Tensor:
        if faiss is None:
            with full_precision(u.device):
                return torch.cat([(rows @ u.T).topk(K + 1).indices for rows in u.split(4096)])
        found: Tensor = faiss.knn_gpu(resources, u, u, K + 1, metric=faiss.METRIC_INNER_PRODUCT)[1]
        return found

    pairs = interleave(lambda: nearest_neighbours(x, K), theirs, settings.repeats)
    checks, extras = compare(x, pairs.our_result[1], pairs.their_result)
    return Line(
        f"{K}-NN graph, {len(x):,} x {x.shape[1]:,} float32, cosine, {device}",
        "torch exact float32 search" if faiss is None else f"faiss {faiss.__version__} knn_gpu, exact float32",
        pairs.ours,
        pairs.theirs,
        target=5.0,
        checks=checks,
        extras=extras,
    )


def profile(settings: Settings, device: str, shape: Shape) -> Line:
    """States and ILO of every layer against the recipe, and against the time of the matrix products alone."""
    corpus = read_corpus(settings.corpus, shape.languages, shape.sentences)
    tokenizer = make_tokenizer(corpus, shape.vocabulary)
    model = make_llama(shape, device)
    prepared = prepare(corpus, tokenizer)
    texts = all_texts(corpus)[:: shape.every]

    def ours() -> tuple[Pooled, list[float]]:
        pooled = embed(parts_of(model), prepare(corpus, tokenizer), mean)
        rows = score(pooled.samples(), {"ilo": ilo})
        return pooled, [row["value"] for row in rows if row["metric"] == "ilo" and not row["language"]]

    pairs = interleave(ours, lambda: pool_one_by_one(model, tokenizer, texts), settings.repeats)
    pooled, scores = pairs.our_result
    layers = len(pairs.their_result)  # the recipe has no "final" beside the last layer
    sampled = list(pooled.layers.values())[:layers]
    both = zip(sampled[:-1], pairs.their_result[:-1], strict=True)
    cosines = [torch.cosine_similarity(a[:: shape.every].double(), b.double()).min() for a, b in both]
    cosine = float(torch.stack(cosines).min())
    middle = len(sampled) // 2
    counted, counting = once(lambda: count_ilo(sampled[middle], len(corpus.languages)))
    ilo_apart = abs(sum(counted) / len(counted) - scores[middle])
    tokens = sum(int(batch.attention_mask.sum()) for batch in prepared.batches)
    products = linear_seconds(model, tokens) + len(scores) * pair_seconds(len(sampled[0]), model, device)
    return Line(
        f"states and ILO, LLaMA of {sum(p.numel() for p in model.parameters()) / 1e9:.1f}e9 bf16 weights, "
        f"{len(corpus.languages)} x {len(corpus)} sentences ({corpus.name}), {device}",
        f"batch size 1 (every {shape.every}th sentence, times {shape.every}); search and sets on the host "
        f"(1 layer, times {layers})",
        pairs.ours,
        [seconds * shape.every + counting * layers for seconds in pairs.theirs],
        target=20.0,
        checks=[
            Check("lowest cosine to the recipe's states", cosine, ">=", 0.98),
            Check("difference to the middle layer's ILO as published", ilo_apart, "<=", within(len(corpus) * 10)),
        ],
        extras={
            "tokens": tokens,
            "seconds of the matrix products": products,
            "ours as a multiple of them, at most 2 asked": float(np.median(pairs.ours)) / products,
        },
    )


def make_llama(shape: Shape, device: str) -> LlamaModel:
    """Random bf16 weights, made on the device."""
    config = LlamaConfig(**shape.llama, pad_token_id=1, bos_token_id=0, eos_token_id=2)
    with torch.device(device), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return LlamaModel._from_config(config, dtype=torch.bfloat16).eval()


@torch.no_grad()
def linear_seconds(model: nn.Module, tokens: int) -> float:
    """Seconds of the products of all linear maps of the model with so many tokens, attention's own not counted."""
    total = 0.0
    seconds: dict[tuple[int, ...], float] = {}
    for module in model.modules():
        if isinstance(module, nn.Linear):
            weight = module.weight
            if weight.shape not in seconds:
                x = torch.randn(min(TOKENS, tokens), weight.shape[1], device=weight.device, dtype=weight.dtype)
                seconds[weight.shape] = _fastest(x, weight.mT) / len(x)
            total += seconds[weight.shape] * tokens
    return total


def pair_seconds(count: int, model: Any, device: str) -> float:
    """Seconds of the products of all pairs of points of one layer, in bf16."""
    x = torch.randn(count, model.config.hidden_size, device=device, dtype=torch.bfloat16)
    return _fastest(x[:TOKENS], x.mT) / min(TOKENS, count) * count


def _fastest(a: Tensor, b: Tensor) -> float:
    a @ b
    return min(once(lambda: a @ b)[1] for _ in range(5))


def _faiss_gpu() -> Any:
    """The faiss module if it has GPUs, taking torch tensors there; else None."""
    try:
        import faiss
        import faiss.contrib.torch_utils
    except (ImportError, RuntimeError):
        return None
    return faiss if hasattr(faiss, "StandardGpuResources") and faiss.get_num_gpus() else None
