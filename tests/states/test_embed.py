from contextlib import contextmanager
from dataclasses import replace

import pytest
import torch
from peft import LoraConfig, get_peft_model

from babelscope.data.corpora import Corpus
from babelscope.models.families import FAMILIES
from babelscope.models.parts import parts_of
from babelscope.states import STATES, embed, pool, prepare
from babelscope.states.embed import run_batches
from babelscope.states.store import embed_once
from tests.models.tiny import VOCABULARY, tiny_model, tiny_tokenizer


def one_by_one(model, corpus, tokenizer, *, special):
    """Every sentence alone, Hugging Face's own hidden states, plain means: the published way."""
    states = []
    for language in corpus.languages:
        for text in corpus.texts[language]:
            inputs = tokenizer(text, return_tensors="pt")
            with torch.no_grad():
                hidden = torch.stack(parts_of(model).stack(**inputs, output_hidden_states=True).hidden_states)[:, 0]
            states.append((hidden if special else hidden[:, 1:-1]).mean(dim=1))
    return torch.stack(states, dim=1)


@pytest.mark.parametrize(("function", "special"), [(pool.mean, False), (pool.published, True)])
@pytest.mark.parametrize("model_type", FAMILIES)
def test_equal_to_one_sentence_at_a_time(corpus, model_type, function, special):
    model, tokenizer = tiny_model(model_type), tiny_tokenizer()
    expected = one_by_one(model, corpus, tokenizer, special=special)
    parts = parts_of(model)
    layers = embed(parts, prepare(corpus, tokenizer, max_tokens=64), function).layers
    assert tuple(layers) == parts.layers
    raw = [layer for layer in parts.layers if layer != "final"]
    ours = [*raw[:-1], "final"] if "final" in layers else raw
    for mine, theirs in zip(ours, expected, strict=True):
        torch.testing.assert_close(layers[mine], theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("model_type", ["xlm-roberta", "mt5", "bloom", "llama"])
def test_batch_size_padding_side_and_order_change_nothing(corpus, model_type):
    model, tokenizer = tiny_model(model_type), tiny_tokenizer()
    reference = embed(parts_of(model), prepare(corpus, tokenizer, max_tokens=1), pool.mean).layers
    tokenizer.padding_side = "left"
    order = [3, 1, 4, 0, 2]
    texts = {language: tuple(corpus.texts[language][i] for i in order) for language in ("ell_Grek", "eng_Latn")}
    shuffled = Corpus("toy", tuple(corpus.ids[i] for i in order), texts)
    layers = embed(parts_of(model), prepare(shuffled, tokenizer, max_tokens=1000), pool.mean).layers
    place = [10 + i for i in order] + order
    for layer, x in layers.items():
        torch.testing.assert_close(x, reference[layer][place], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("max_tokens", [1, 60, 1000])
def test_texts_of_the_same_tokens_have_the_same_states_to_the_bit(max_tokens, tmp_path):
    texts = [f"{i} and so on" for i in range(5)]
    texts = {"eng_Latn": (*texts, texts[0]), "deu_Latn": ("7", *texts[:2], texts[0], "8", "9")}
    prepared = prepare(Corpus("toy", tuple("012345"), texts), tiny_tokenizer(), max_tokens=max_tokens)
    parts = parts_of(tiny_model("llama"))
    assert sum(len(batch.index) for batch in prepared.batches) == 8
    pooled = embed(parts, prepared, pool.mean)
    shares = [embed(parts, prepared.shard(rank, 3), pool.mean) for rank in range(3)]
    stored = embed_once(tmp_path, {}, parts, prepared, pool.mean)
    for layer, x in pooled.layers.items():
        assert torch.equal(x[[5, 7, 9, 8]], x[[0, 0, 0, 1]])
        assert bool((x != 0).any(1).all())
        assert torch.equal(sum(share.layers[layer] for share in shares), x)
        assert torch.equal(stored.layers[layer], x)


def test_masks_are_where_a_layer_is(corpus):
    parts = parts_of(tiny_model("bert"))

    @contextmanager
    def spread(parts, keep):
        with STATES.record(parts, lambda layer, hidden: keep(layer, hidden.to("meta" if layer == "4" else "cpu"))):
            yield

    seen = {}

    def reduce(layer, hidden, batch):
        seen[layer] = {x.device.type for x in (hidden, batch.attention_mask, batch.ordinary)}
        return torch.zeros(len(batch.index))

    run_batches(
        parts, prepare(corpus, tiny_tokenizer()).batches, replace(STATES, record=spread), reduce, lambda *taken: None
    )
    assert seen == {layer: {"meta" if layer == "4" else "cpu"} for layer in parts.layers}


def test_samples_name_language_and_sentence(corpus):
    model = tiny_model("bert")
    pooled = embed(parts_of(model), prepare(corpus, tiny_tokenizer()), pool.mean)
    layer, sample = next(iter(pooled.samples()))
    assert layer == "0"
    assert sample.languages == ("eng_Latn", "deu_Latn", "ell_Grek")
    assert sample.language.tolist() == [0] * 5 + [1] * 5 + [2] * 5
    assert sample.sentence.tolist() == [0, 1, 2, 3, 4] * 3


def test_samples_carry_their_start(corpus):
    pooled = embed(parts_of(tiny_model("bert")), prepare(corpus, tiny_tokenizer()), pool.mean)
    other = replace(pooled, layers={layer: x + 1 for layer, x in pooled.layers.items()})
    for layer, sample in pooled.samples(start=other):
        assert torch.equal(sample.x, pooled.layers[layer])
        assert torch.equal(sample.start, other.layers[layer])
    assert next(iter(pooled.samples()))[1].start is None


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda pooled: {"ids": pooled.ids[::-1]}, "sentences"),
        (lambda pooled: {"languages": pooled.languages[::-1]}, "languages"),
        (lambda pooled: {"layers": {"0": pooled.layers["0"]}}, "layers"),
    ],
)
def test_a_start_of_other_points_is_refused(corpus, change, what):
    pooled = embed(parts_of(tiny_model("bert")), prepare(corpus, tiny_tokenizer()), pool.mean)
    with pytest.raises(ValueError, match=f"`start` to have the same {what}") as caught:
        list(pooled.samples(start=replace(pooled, **change(pooled))))
    assert "\n" not in str(caught.value)
    narrow = replace(pooled, layers={layer: x[:, :4] for layer, x in pooled.layers.items()})
    with pytest.raises(ValueError, match=r"argument `start`.*\(15, 4\)"):
        list(pooled.samples(start=narrow))


def test_modes_gradients_and_random_state_are_left_alone(corpus):
    model = tiny_model("bert").train()
    model.encoder.layer[0].eval()
    modes = [module.training for module in model.modules()]
    torch.manual_seed(0)
    state = torch.get_rng_state()
    first = embed(parts_of(model), prepare(corpus, tiny_tokenizer()), pool.mean)
    assert [module.training for module in model.modules()] == modes
    assert torch.equal(torch.get_rng_state(), state)
    assert not any(x.requires_grad for x in first.layers.values())
    model.eval()  # had dropout been active, the two would differ
    second = embed(parts_of(model), prepare(corpus, tiny_tokenizer()), pool.mean)
    torch.testing.assert_close(dict(first.layers), dict(second.layers), rtol=0, atol=0)


def test_shards_sum_to_the_whole(corpus):
    parts = parts_of(tiny_model("llama"))
    prepared = prepare(corpus, tiny_tokenizer(), max_tokens=40)
    whole = embed(parts, prepared, pool.mean).layers
    shards = [embed(parts, prepared.shard(rank, 4), pool.mean).layers for rank in range(4)]
    for layer, x in whole.items():
        assert torch.equal(sum(shard[layer] for shard in shards), x)


def test_more_processes_than_batches(corpus):
    prepared = prepare(corpus, tiny_tokenizer(), max_tokens=10_000)
    layers = embed(parts_of(tiny_model("bert")), prepared.shard(7, 8), pool.mean).layers
    assert all(not x.any() and x.shape == (15, 32) for x in layers.values())


def test_states_that_are_not_finite_are_refused_by_name(corpus):
    model = tiny_model("bert")
    with torch.no_grad():
        model.encoder.layer[2].output.dense.bias[0] = float("nan")
    pooled = embed(parts_of(model), prepare(corpus, tiny_tokenizer()), pool.mean)
    with pytest.raises(ValueError, match=r"layer 3 is not finite for sentence 's0' in eng_Latn.*model\.dtype=float32"):
        list(pooled.samples())


def test_a_missing_pad_token_is_handled(corpus):
    tokenizer = tiny_tokenizer()
    tokenizer.pad_token = None
    model = tiny_model("llama")
    ours = embed(parts_of(model), prepare(corpus, tokenizer), pool.mean).layers
    theirs = embed(parts_of(model), prepare(corpus, tiny_tokenizer()), pool.mean).layers
    torch.testing.assert_close(dict(ours), dict(theirs), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "adapt",
    [
        lambda model: model,
        lambda model: get_peft_model(model, LoraConfig(target_modules=["word_embeddings"], r=2)),
        lambda model: get_peft_model(model, LoraConfig(target_modules=["query"], modules_to_save=["word_embeddings"])),
    ],
    ids=["plain", "lora", "saved"],
)
def test_a_token_without_a_row_in_the_table_is_refused(corpus, adapt):
    tokenizer, parts = tiny_tokenizer(), parts_of(adapt(tiny_model("bert")))
    embed(parts, prepare(corpus, tokenizer), pool.mean)
    tokenizer.add_tokens(["cat", "dog"])
    message = rf"below the {VOCABULARY} rows of the token table, but the tokenizer gives {VOCABULARY + 1}; resize the"
    with pytest.raises(ValueError, match=message) as caught:
        embed(parts, prepare(corpus, tokenizer), pool.mean)
    assert "\n" not in str(caught.value)


def test_a_text_longer_than_the_model_reads_is_refused():
    """The tokenizer of somebody else's Trainer cuts where it was told to."""
    parts, tokenizer = parts_of(tiny_model("xlm-roberta")), tiny_tokenizer()
    tokenizer.model_max_length = parts.max_length + 1
    long = Corpus("long", ("0",), {"eng_Latn": ("x" * 2000,)})
    message = rf"Expected texts of at most {parts.max_length} tokens, .* set model_max_length of the tokenizer"
    with pytest.raises(ValueError, match=message):
        embed(parts, prepare(long, tokenizer, max_length=1000), pool.mean)
    tokenizer.model_max_length = parts.max_length
    embed(parts, prepare(long, tokenizer, max_length=1000), pool.mean)
