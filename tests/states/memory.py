"""`python -m tests.states.memory FOLDER`: peak memory after n sentences and after 4 n, in KiB."""

import resource
import sys
from pathlib import Path

from babelscope.data.corpora import Corpus
from babelscope.models.parts import parts_of
from babelscope.states import DOWN_INPUT, embed_once, pool, prepare, slices
from tests.models.tiny import tiny_model, tiny_tokenizer

SENTENCES, NEURONS = 500, 8192


def peak(folder: Path, sentences: int) -> int:
    texts = {"eng_Latn": tuple(f"a{i:04}" for i in range(sentences))}
    corpus = Corpus("numbers", tuple(str(i) for i in range(sentences)), texts)
    parts = parts_of(tiny_model("llama", depth=1, intermediate_size=NEURONS))
    prepared = prepare(corpus, tiny_tokenizer(), max_tokens=128)
    pooled = embed_once(folder, {}, parts, prepared, pool.mean, reading=DOWN_INPUT)
    total = sum(float(block.sum()) for block in slices(pooled.layers, "1", elements=2**18))
    assert total != 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    print(peak(Path(sys.argv[1]), SENTENCES), peak(Path(sys.argv[1]), 4 * SENTENCES))
