import pytest
from omegaconf import OmegaConf

from babelscope.verbs.config.building import build_corpus

CFG = OmegaConf.create(
    {"corpus": {"_target_": "babelscope.data.lab.lab", "_partial_": True, "split": "dev"}, "seed": 1}
)


@pytest.mark.parametrize("n", [0, 101, -1])
def test_sentences_beyond_the_corpus_are_refused_with_the_number_there_is(n):
    with pytest.raises(ValueError, match=f"between 1 and the 100 of corpus 'lab', but got {n}; ask for fewer"):
        build_corpus(CFG, ["eng_Latn"], sentences=n)


@pytest.mark.parametrize(("n", "kept"), [(1, 1), (100, 100), (None, 100)])
def test_as_many_sentences_as_were_asked_for(n, kept):
    assert len(build_corpus(CFG, ["eng_Latn"], sentences=n)) == kept
