"""The whole offline profile, states and ILO of every layer, against the published recipe."""

from collections.abc import Iterator

import torch
from torch import Tensor

from babelscope.metrics import ilo
from babelscope.metrics.score import score
from babelscope.states.embed import Pooled
from benchmarks.data import all_texts, make_encoder, pool_one_by_one
from benchmarks.extraction import TARGETS, describe, pool, setting
from benchmarks.neighbours import K, drop_self
from benchmarks.result import Check, Line, Settings
from benchmarks.timing import interleave

THRESHOLD = 3
WITHIN = 0.005
"""Of ILO, the mean over languages."""


def measure(settings: Settings) -> Iterator[Line]:
    corpus, tokenizer, width, depth = setting(settings)
    reference = make_encoder(len(tokenizer), width, depth)
    languages = len(corpus.languages)

    def peer() -> Tensor:
        layers = pool_one_by_one(reference, tokenizer, all_texts(corpus))
        return torch.tensor([count_ilo(x, languages) for x in layers])

    for dtype, target in TARGETS.items():
        model = make_encoder(len(tokenizer), width, depth, dtype=dtype)
        pairs = interleave(
            lambda model=model: ilo_of(pool(model, tokenizer, corpus)),  # type: ignore[misc]
            peer,
            settings.repeats,
            warm=False,
        )
        differences = (pairs.our_result - pairs.their_result).abs()
        means = (pairs.our_result.mean(1) - pairs.their_result.mean(1)).abs()
        yield Line(
            f"states and ILO, {describe(corpus, width, depth)}, {str(dtype).removeprefix('torch.')} weights",
            "batch size 1, all hidden states, float32; exact search; sets counted in Python",
            pairs.ours,
            pairs.theirs,
            target=target,
            checks=[
                Check("largest difference of a layer's ILO", float(means.max()), "<=", within(differences.numel()))
            ],
            extras={
                "largest difference of a language's ILO": float(differences.max()),
                "ILO of layers, from": float(pairs.their_result.mean(1).min()),
                "ILO of layers, to": float(pairs.their_result.mean(1).max()),
            },
        )


def within(scores: int) -> float:
    """`WITHIN`, but with few scores, of few points each, one other neighbour moves the mean by more."""
    return WITHIN if scores > 100 else 0.1


def ilo_of(pooled: Pooled) -> Tensor:
    """ILO (L, K) of every layer and language."""
    rows = score(pooled.samples(), {"ilo": ilo})
    values = [row["value"] for row in rows if row["metric"] == "ilo" and row["language"]]
    return torch.tensor(values, dtype=torch.float64).view(-1, len(pooled.languages))


def count_ilo(x: Tensor, languages: int) -> list[float]:
    """ILO of one layer's points (S, D), language after language, as published: search, then loops over sets."""
    found = search(torch.nn.functional.normalize(x)).tolist()
    each = len(x) // languages
    scores = []
    for language in range(languages):
        bridges, reached = 0, set()
        for point in range(language * each, (language + 1) * each):
            others = {neighbour // each for neighbour in found[point]} - {language}
            bridges += len(others) >= THRESHOLD
            reached |= others
        scores.append(harmonic_mean(bridges / each, len(reached) / (languages - 1)))
    return scores


def search(u: Tensor) -> Tensor:
    """Indices (S, K) of the nearest others, by faiss where it is there, else by scikit-learn."""
    try:
        import faiss
    except ImportError:
        from sklearn.neighbors import NearestNeighbors

        near = NearestNeighbors(n_neighbors=K + 1, algorithm="brute").fit(u.numpy())
        return drop_self(torch.from_numpy(near.kneighbors(return_distance=False, X=u.numpy())), K)
    faiss.omp_set_num_threads(torch.get_num_threads())
    index = faiss.IndexFlatIP(u.shape[1])
    index.add(u.numpy())
    return drop_self(torch.from_numpy(index.search(u.numpy(), K + 1)[1]), K)


def harmonic_mean(*shares: float) -> float:
    return len(shares) / sum(1 / share for share in shares) if all(shares) else 0.0
