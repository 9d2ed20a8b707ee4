import pytest
import torch

from babelscope.metrics import LayerSample

X = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
LANGUAGE = torch.tensor([0, 0, 1, 1])
SENTENCE = torch.tensor([7, 9, 7, 9])


def test_languages_are_counted_with_and_without_names():
    assert LayerSample(X, LANGUAGE, SENTENCE).n_languages == 2
    sample = LayerSample(X, LANGUAGE, SENTENCE, ("eng_Latn", "jpn_Jpan"))
    assert (sample.n_languages, sample.name(1)) == (2, "jpn_Jpan")


@pytest.mark.parametrize(
    ("x", "language", "sentence", "languages", "message"),
    [
        (X.double(), LANGUAGE, SENTENCE, (), "argument `x`"),
        (X[0], LANGUAGE, SENTENCE, (), "argument `x`"),
        (X[:0], LANGUAGE[:0], SENTENCE[:0], (), "argument `x`"),
        (X, LANGUAGE[:3], SENTENCE, (), "argument `language`"),
        (X.numpy(), LANGUAGE, SENTENCE, (), "argument `x` to be a tensor, but got ndarray"),
        (X, LANGUAGE.numpy(), SENTENCE, (), "argument `language` to be a tensor, but got ndarray"),
        (X, LANGUAGE, SENTENCE.tolist(), (), "argument `sentence` to be a tensor, but got list"),
        (X, LANGUAGE, SENTENCE.int(), (), "argument `sentence`"),
        (X, LANGUAGE - 1, SENTENCE, (), "from 0"),
        (X, LANGUAGE * 2, SENTENCE, (), "language 1 has no point"),
        (X, LANGUAGE, SENTENCE, ("eng_Latn",), "argument `languages`"),
        (X, LANGUAGE, SENTENCE, ("a", "b", "c"), "language c has no point"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(x, language, sentence, languages, message):
    with pytest.raises(ValueError, match=message) as caught:
        LayerSample(x, language, sentence, languages)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_non_finite_states_are_refused_by_language_and_sentence(value):
    x = X.clone()
    x[2, 1] = value
    with pytest.raises(ValueError, match="language jpn_Jpan, sentence 7"):
        LayerSample(x, LANGUAGE, SENTENCE, ("eng_Latn", "jpn_Jpan"))


def test_states_at_the_start_are_optional_and_checked():
    assert LayerSample(X, LANGUAGE, SENTENCE).start is None
    assert LayerSample(X, LANGUAGE, SENTENCE, start=X + 1).start is not None
    for start, message in ((X[:3], "`start`"), (X.double(), "`start`"), (X / 0, "language 0, sentence 7")):
        with pytest.raises(ValueError, match=message) as caught:
            LayerSample(X, LANGUAGE, SENTENCE, start=start)
        assert "\n" not in str(caught.value)
