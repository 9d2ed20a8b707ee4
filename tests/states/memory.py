"""`python -m tests.states.memory FOLDER`: peak memory after n sentences and after 4 n, in KiB."""

import resource
import sys
from functools import partial
from math import isfinite
from pathlib import Path

from babelscope.analyses.neurons import study as neuron_study
from babelscope.data.corpora import Corpus
from babelscope.models.parts import parts_of
from babelscope.states import DOWN_INPUT, embed_once, pool, prepare, slices
from tests.models.tiny import tiny_model, tiny_tokenizer

SENTENCES, NEURONS = 250, 8192
# bounds that this corpus is beyond, as a large one is beyond the study's own
neuron_study.slices = partial(slices, elements=2**18)
neuron_study.POINTS = 200


def peak(folder: Path, sentences: int) -> int:
    texts = {code: tuple(f"{code[0]}{i:04}" for i in range(sentences)) for code in ("eng_Latn", "deu_Latn")}
    corpus = Corpus("numbers", tuple(str(i) for i in range(sentences)), texts)
    parts = parts_of(tiny_model("llama", depth=1, intermediate_size=NEURONS))
    prepared = prepare(corpus, tiny_tokenizer(), max_tokens=128)
    pooled = embed_once(folder, {}, parts, prepared, pool.mean, reading=DOWN_INPUT)
    study = neuron_study.study_neurons(pooled, permutations=2, legacy=True)
    assert all(isfinite(row["value"]) for row in study.rows)
    assert study.z["1"].shape == (2, NEURONS)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    print(peak(Path(sys.argv[1]), SENTENCES), peak(Path(sys.argv[1]), 4 * SENTENCES))
