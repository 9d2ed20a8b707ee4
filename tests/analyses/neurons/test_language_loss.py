import math

import pytest
import torch
import torch.nn.functional as F

from babelscope.analyses.neurons import language_loss
from babelscope.analyses.neurons.language_loss import LanguageLosses, language_losses
from babelscope.data.corpora import Corpus
from babelscope.data.objectives import SpanCorruption
from babelscope.data.vocabulary import bloom_bytes
from babelscope.models.adapters import lora
from babelscope.models.families import FAMILIES
from babelscope.models.parts import parts_of
from tests.models.tiny import TRANSLATORS, tiny_model, tiny_tokenizer

ENGLISH = ("The cat sleeps.", "A dog", "Sun in the old town.")
GREEK = ("Η γάτα.", "Ένας", "Ήλιος σε")
CORPUS = Corpus("toy", ("a", "b", "c"), {"eng_Latn": ENGLISH, "ell_Grek": GREEK})


def model_of(model_type, **changes):
    return tiny_model(model_type, "lm", depth=2, **changes)


@torch.no_grad()
def plain_loss(model, tokenizer, text, objective):
    """One text alone, by Hugging Face: nats and targets."""
    row = tokenizer(text, return_special_tokens_mask=True)
    ids, special = torch.tensor([row["input_ids"]]), row["special_tokens_mask"]
    places = [i for i, added in enumerate(special) if not added]
    if objective == "causal":
        logged = model(input_ids=ids).logits[0].double().log_softmax(-1)
        losses = [-logged[i - 1, ids[0, i]] for i in places if i > 0]
    elif objective == "masked":
        losses = []
        for i in places:
            masked = ids.clone()
            masked[0, i] = tokenizer.mask_token_id
            losses.append(-model(input_ids=masked).logits[0, i].double().log_softmax(-1)[ids[0, i]])
    else:
        corrupt = SpanCorruption(tokenizer, seed=0)
        batch = corrupt([{"input_ids": ids[0].tolist()}])
        logged = model(**batch).logits[0].double().log_softmax(-1)
        added = {corrupt.end, *corrupt.sentinels}
        losses = [-logged[i, label] for i, label in enumerate(batch["labels"][0].tolist()) if label not in added]
    return float(sum(losses)), len(losses)


@pytest.mark.parametrize("model_type", TRANSLATORS)
def test_a_translation_model_predicts_nothing_of_one_language(model_type):
    with pytest.raises(ValueError, match=f"objective causal, masked or span, but {model_type} .*is translation; load"):
        language_losses(parts_of(model_of(model_type)), tiny_tokenizer(), CORPUS)


@pytest.mark.parametrize("model_type", sorted(set(FAMILIES) - set(TRANSLATORS)))
def test_batches_equal_one_text_at_a_time(model_type):
    model, tokenizer = model_of(model_type), tiny_tokenizer()
    found = language_losses(parts_of(model), tokenizer, CORPUS, max_tokens=60)
    assert found.languages == ("eng_Latn", "ell_Grek")
    for k, texts in enumerate(CORPUS.texts.values()):
        for i, text in enumerate(texts):
            nll, targets = plain_loss(model, tokenizer, text, FAMILIES[model_type].objective)
            assert found.targets[k, i] == targets
            assert found.nll[k, i] == pytest.approx(nll, rel=1e-5)


def test_a_masked_model_may_predict_some_tokens_of_a_text_only():
    model, tokenizer = model_of("xlm-roberta"), tiny_tokenizer()
    parts = parts_of(model)
    some, again, whole = (language_losses(parts, tokenizer, CORPUS, targets=n) for n in (2, 2, None))
    assert (some.targets == 2).all()
    assert torch.equal(some.nll, again.nll)
    assert (some.nll < whole.nll).all()
    each = []
    for i in range(whole.targets[0, 0]):  # the two are tokens of the text, predicted as they are one by one
        alone = tokenizer(ENGLISH[0], return_tensors="pt")["input_ids"]
        token = int(alone[0, i + 1])
        alone[0, i + 1] = tokenizer.mask_token_id
        with torch.no_grad():
            each.append(-model(input_ids=alone).logits[0, i + 1].log_softmax(-1)[token].item())
    pairs = [a + b for place, a in enumerate(each) for b in each[place + 1 :]]
    assert min(abs(pair - float(some.nll[0, 0])) for pair in pairs) < 1e-4
    drawn = [language_losses(parts, tokenizer, CORPUS, targets=2, seed=seed).loss for seed in range(40)]
    torch.testing.assert_close(torch.stack(drawn).mean(0), whole.loss, rtol=0.05, atol=0)
    assert some.bits_per_byte[0] == pytest.approx(float(whole.bits_per_byte[0]), rel=0.5)
    assert torch.equal(
        language_losses(parts_of(model_of("bloom")), tokenizer, CORPUS, targets=2).targets[0] > 2,
        torch.tensor([True, True, True]),
    )


def test_adapters_count():
    model, tokenizer = model_of("xlm-roberta"), tiny_tokenizer()
    bare = language_losses(parts_of(model), tokenizer, CORPUS)
    adapted = lora(model)
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.3)
    adapted.eval()
    found = language_losses(parts_of(adapted), tokenizer, CORPUS)
    assert not torch.allclose(found.nll, bare.nll, rtol=1e-2)
    nll, _ = plain_loss(adapted, tokenizer, ENGLISH[0], "masked")
    assert found.nll[0, 0] == pytest.approx(nll, rel=1e-5)


@pytest.mark.parametrize("model_type", ["xlm-roberta", "mt5", "bloom"])
def test_the_size_of_batches_changes_nothing(model_type, monkeypatch):
    parts, tokenizer = parts_of(model_of(model_type)), tiny_tokenizer()
    one = language_losses(parts, tokenizer, CORPUS, max_tokens=1)
    many = language_losses(parts, tokenizer, CORPUS)
    monkeypatch.setattr(language_loss, "LOGITS", 1)
    narrow = language_losses(parts, tokenizer, CORPUS)
    for other in (many, narrow):
        torch.testing.assert_close(other.nll, one.nll, rtol=1e-5, atol=1e-5)
        assert torch.equal(other.targets, one.targets)


def test_without_a_first_token_of_the_tokenizer_the_loss_is_hugging_faces_own():
    tokenizer = bloom_bytes([*ENGLISH, *GREEK], size=268)
    model = model_of("bloom")
    found = language_losses(parts_of(model), tokenizer, CORPUS)
    ids = torch.tensor([tokenizer(ENGLISH[0])["input_ids"]])
    with torch.no_grad():
        loss = model(input_ids=ids, labels=ids).loss
    tokens = ids.shape[1]
    assert found.targets[0, 0] == tokens - 1
    assert found.nll[0, 0] / found.targets[0, 0] == pytest.approx(float(loss), rel=1e-5)
    # the first token has nothing to be predicted from, so its share of the bytes is left out
    assert found.bytes[0, 0] == pytest.approx(len(ENGLISH[0].encode()) * (tokens - 1) / tokens)


def test_bytes_are_those_that_targets_stand_for():
    sizes = torch.tensor([[len(text.encode()) for text in texts] for texts in (ENGLISH, GREEK)], dtype=torch.float64)
    whole = language_losses(parts_of(model_of("bert")), tiny_tokenizer(), CORPUS)
    torch.testing.assert_close(whole.bytes, sizes, rtol=1e-12, atol=0)
    spans = language_losses(parts_of(model_of("mt5")), tiny_tokenizer(), CORPUS)  # one token is one byte here
    torch.testing.assert_close(spans.bytes, spans.targets.double(), rtol=1e-12, atol=0)
    cut = language_losses(parts_of(model_of("llama")), tiny_tokenizer(), CORPUS, max_length=7)
    torch.testing.assert_close(cut.bytes, sizes.clamp(max=5), rtol=1e-12, atol=0)
    assert cut.targets.max() == 5


def test_means_by_language():
    nll = torch.tensor([[2.0, 4.0], [0.0, 3.0]], dtype=torch.float64)
    targets, size = torch.tensor([[1, 2], [0, 3]]), torch.tensor([[4.0, 8.0], [1.0, 5.0]], dtype=torch.float64)
    losses = LanguageLosses(nll, targets, size, ("a", "b"))
    assert losses.loss.tolist() == [2.0, 1.0]
    assert losses.perplexity.tolist() == pytest.approx([math.e**2, math.e])
    assert losses.bits_per_byte.tolist() == pytest.approx([0.5 / math.log(2), 0.5 / math.log(2)])


def test_span_losses_repeat_by_seed():
    parts, tokenizer = parts_of(model_of("mt5")), tiny_tokenizer()
    one, same, other = (language_losses(parts, tokenizer, CORPUS, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(one.nll, same.nll)
    assert not torch.equal(one.nll, other.nll)


def test_a_decoder_begins_with_padding_where_nothing_else_is_said():
    told, untold = model_of("t5"), model_of("t5")
    del untold.config.decoder_start_token_id
    expected, found = (language_losses(parts_of(model), tiny_tokenizer(), CORPUS).nll for model in (told, untold))
    assert torch.equal(found, expected)
    del untold.config.decoder_start_token_id
    untold.config.pad_token_id = None
    with pytest.raises(ValueError, match="neither decoder_start_token_id nor pad_token_id; add"):
        language_losses(parts_of(untold), tiny_tokenizer(), CORPUS)


def test_modes_gradients_and_random_state_are_left_alone():
    model = model_of("bert").train()
    model.bert.encoder.layer[0].eval()
    modes = [module.training for module in model.modules()]
    torch.manual_seed(0)
    state = torch.get_rng_state()
    trained = language_losses(parts_of(model), tiny_tokenizer(), CORPUS)
    assert [module.training for module in model.modules()] == modes
    assert torch.equal(torch.get_rng_state(), state)
    assert not trained.nll.requires_grad
    assert torch.equal(language_losses(parts_of(model.eval()), tiny_tokenizer(), CORPUS).nll, trained.nll)


def test_low_precision_losses_are_computed_in_float32():
    parts = parts_of(model_of("llama").bfloat16())
    found = language_losses(parts, tiny_tokenizer(), CORPUS)
    assert found.nll.dtype == torch.float64
    whole = language_losses(parts_of(model_of("llama")), tiny_tokenizer(), CORPUS)
    torch.testing.assert_close(found.loss, whole.loss, rtol=0.1, atol=0)


def test_progress_sees_the_batches():
    seen = []
    language_losses(
        parts_of(model_of("bert")),
        tiny_tokenizer(),
        CORPUS,
        max_tokens=1,
        progress=lambda made: seen.extend(made) or made,
    )
    assert len(seen) == 6


def test_a_model_without_its_head_is_refused():
    for task in ("base", "classification"):
        parts = parts_of(tiny_model("bert", task, depth=2))
        with pytest.raises(ValueError, match=r"no language-modelling head; load its checkpoint with head='lm'"):
            language_losses(parts, tiny_tokenizer(), CORPUS)


def test_a_tokenizer_that_cannot_mask_is_refused():
    tokenizer = tiny_tokenizer()
    tokenizer.mask_token = None
    with pytest.raises(ValueError, match="with a mask token"):
        language_losses(parts_of(model_of("bert")), tokenizer, CORPUS)


def test_a_language_with_nothing_to_predict_is_refused_by_name():
    texts = {"eng_Latn": ENGLISH[:2], "zho_Hans": ("a", "b")}
    tokenizer = bloom_bytes(ENGLISH, size=268)
    with pytest.raises(ValueError, match=r"sentences in zho_Hans have one token each"):
        language_losses(parts_of(model_of("bloom")), tokenizer, Corpus("toy", ("a", "b"), texts))


def test_a_loss_that_is_not_finite_is_refused_by_name():
    model = model_of("bert")
    with torch.no_grad():
        model.bert.encoder.layer[1].output.dense.bias[0] = float("nan")
    with pytest.raises(ValueError, match=r"sentence 'a' in eng_Latn is not.*model\.dtype=float32"):
        language_losses(parts_of(model), tiny_tokenizer(), CORPUS)


def test_uniform_guessing_costs_the_logarithm_of_the_vocabulary():
    model = model_of("gpt2")
    with torch.no_grad():
        model.lm_head.weight.zero_()
    found = language_losses(parts_of(model), tiny_tokenizer(), CORPUS)
    expected = float(F.cross_entropy(torch.zeros(1, model.config.vocab_size), torch.zeros(1, dtype=torch.long)))
    assert found.loss.tolist() == pytest.approx([expected] * 2, rel=1e-6)
    # a byte is a token here, and the tokenizer puts one before the first
    assert found.bits_per_byte.tolist() == pytest.approx([math.log2(model.config.vocab_size)] * 2, rel=1e-6)
