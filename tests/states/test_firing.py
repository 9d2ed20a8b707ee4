import pytest
import torch

from babelscope.data.corpora import Corpus
from babelscope.models.parts import parts_of
from babelscope.states import DOWN_INPUT, GATE, count_firing, prepare
from tests.models.tiny import tiny_model, tiny_tokenizer
from tests.states.by_hand import neurons_by_hand


@pytest.mark.parametrize("model_type", ["xlm-roberta", "mt5", "bloom", "llama"])
def test_counts_are_those_of_one_token_after_another(corpus, model_type):
    parts, tokenizer = parts_of(tiny_model(model_type, depth=2)), tiny_tokenizer()
    tokens = [0] * 3
    expected = torch.zeros(2, 2, 3, parts.neurons, dtype=torch.int64)  # reading, block, language
    for k, language in enumerate(corpus.languages):
        for text in corpus.texts[language]:
            inputs = tokenizer(text, return_tensors="pt")
            blocks = neurons_by_hand(parts, **inputs)
            for token in range(1, inputs["input_ids"].shape[1] - 1):
                tokens[k] += 1
                for i, block in enumerate(blocks):
                    for place in range(2):
                        expected[place, i, k] += block[place][0, token] > 0
    for place, reading in enumerate((GATE, DOWN_INPUT)):
        firing = count_firing(parts, prepare(corpus, tokenizer, max_tokens=100), reading=reading)
        assert firing.languages == tuple(corpus.languages)
        assert firing.tokens.tolist() == tokens
        for i, count in enumerate(firing.active.values()):
            assert torch.equal(count, expected[place, i])
        rates = expected[place].transpose(0, 1).double() / torch.tensor(tokens)[:, None, None]
        assert torch.equal(firing.rates, rates)


def test_counts_of_shares_sum_to_those_of_all(corpus):
    parts = parts_of(tiny_model("llama"))
    prepared = prepare(corpus, tiny_tokenizer(), max_tokens=40)
    whole = count_firing(parts, prepared)
    shares = [count_firing(parts, prepared.shard(rank, 3)) for rank in range(3)]
    assert torch.equal(sum(share.tokens for share in shares), whole.tokens)
    for layer, count in whole.active.items():
        assert torch.equal(sum(share.active[layer] for share in shares), count)
    empty = count_firing(parts_of(tiny_model("llama")), prepared.shard(99, 100))
    assert not empty.rates.any()


def test_texts_that_are_the_same_count_as_often_as_they_are_there():
    texts = {"eng_Latn": ("a b", "c", "a b"), "deu_Latn": ("c", "c", "d e f")}
    parts = parts_of(tiny_model("llama"))
    apart = [
        count_firing(parts, prepare(Corpus("toy", ("0",), {language: (text,)}), tiny_tokenizer()))
        for language, own in texts.items()
        for text in own
    ]
    whole = count_firing(parts, prepare(Corpus("toy", tuple("012"), texts), tiny_tokenizer()))
    assert whole.tokens.tolist() == [int(sum(one.tokens for one in apart[k : k + 3])) for k in (0, 3)]
    for layer, count in whole.active.items():
        for k in (0, 1):
            assert torch.equal(count[k], sum(one.active[layer][0] for one in apart[3 * k : 3 * k + 3]))


def test_an_activation_that_is_not_finite_is_refused_by_name(corpus):
    model = tiny_model("bert")
    with torch.no_grad():
        model.encoder.layer[2].intermediate.dense.bias[0] = float("nan")
    with pytest.raises(ValueError, match=r"layer 3 is not finite for sentence 's.' in "):
        count_firing(parts_of(model), prepare(corpus, tiny_tokenizer()))
