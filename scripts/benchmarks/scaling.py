"""How cost grows with points, width, layers and languages: seconds at doubling sizes, and the factor per doubling."""

from collections.abc import Callable, Iterator
from statistics import median

from babelscope.metrics import nearest_neighbours, separability
from benchmarks.data import make_encoder, make_tokenizer, points, read_corpus
from benchmarks.extraction import pool
from benchmarks.result import Curve, Settings
from benchmarks.timing import once

Timed = Callable[[int], Callable[[], object]]
"""Makes the work of a size, which is not timed."""


def measure(settings: Settings) -> Iterator[Curve]:
    repeats = 1 if settings.quick else min(3, settings.repeats)
    for work, variable, sizes, make in works(settings):
        seconds = []
        for size in sizes:
            timed = make(size)
            seconds.append(median(once(timed)[1] for _ in range(repeats)))
        yield Curve(work, variable, sizes, seconds)


def works(settings: Settings) -> Iterator[tuple[str, str, list[int], Timed]]:
    """Kind of work, what grows, its sizes, and the work at a size."""
    if settings.quick:
        count, wide, tall = [64, 128, 256], [16, 32, 64], [1, 2]
        languages, sentences, width, vocabulary = [2, 4], 10, 32, 300
    else:
        count, wide, tall = [3900, 7800, 15600, 31200], [256, 512, 1024, 2048], [3, 6, 12]
        languages, sentences, width, vocabulary = [4, 8, 16, 31], 100, 384, 4000
    yield "neighbours", f"points, {wide[1]} wide", count, lambda n: _search(n, wide[1])
    yield "neighbours", f"width, {count[-2]} points", wide, lambda d: _search(count[-2], d)
    small = [size // 4 for size in wide] if settings.quick else wide[:3]
    yield "probes", f"width, {languages[-2]} languages", small, lambda d: _probe(languages[-2], sentences, d)
    yield "probes", f"languages, {small[-1]} wide", languages, lambda k: _probe(k, sentences, small[-1])
    corpus = read_corpus(settings.corpus, languages[-1], sentences)
    tokenizer = make_tokenizer(corpus, vocabulary)

    def extract(of: int | None = None, *, wide: int = width, deep: int = tall[-1]) -> Callable[[], object]:
        part = corpus if of is None else corpus.select(corpus.languages[:of])
        model = make_encoder(len(tokenizer), wide, deep)
        return lambda: pool(model, tokenizer, part)

    few = [k for k in languages if k <= len(corpus.languages)]
    yield "extraction", f"languages, {sentences} sentences each", few, lambda k: extract(k, deep=tall[0])
    yield "extraction", f"layers, {width} wide", tall, lambda layers: extract(few[0], deep=layers)
    yield "extraction", f"width, {tall[0]} layers", wide[:3], lambda d: extract(few[0], wide=d, deep=tall[0])


def _search(count: int, width: int) -> Callable[[], object]:
    x = points(4, count // 4, width).x
    return lambda: nearest_neighbours(x, 5)


def _probe(languages: int, sentences: int, width: int) -> Callable[[], object]:
    sample = points(languages, sentences, width, apart=0.2)
    return lambda: separability(sample, folds=5)
