from dataclasses import replace

import pytest
import torch

from babelscope.analyses.ablation import ablate
from babelscope.analyses.neurons import classification_accuracy as module
from babelscope.analyses.neurons.classification_accuracy import classification_accuracy
from babelscope.data.corpora import Corpus
from babelscope.models.parts import parts_of
from tests.models.tiny import tiny_model, tiny_tokenizer

LABELS = ("health", "sports", "travel")
ENGLISH = ("The cat sleeps.", "A dog", "Sun in the old town.", "Rain", "We read a long book today.", "x", "Seven bells")
GREEK = ("Η γάτα.", "Ένας", "Ήλιος σε", "Βρέχει.", "Διαβάζουμε ένα βιβλίο", "χ", "Επτά")
TOPICS = ("travel", "health", "sports", "travel", "health", "sports", "health")
CORPUS = Corpus("toy", tuple("abcdefg"), {"eng_Latn": ENGLISH, "ell_Grek": GREEK}, TOPICS)


def classifier(model_type="xlm-roberta"):
    return tiny_model(model_type, "classification", depth=2, labels=3)


@torch.no_grad()
def plain(model, language, corpus=CORPUS):
    """One text at a time, by Hugging Face."""
    tokenizer, right = tiny_tokenizer(), []
    for text, label in zip(corpus.texts[language], corpus.labels, strict=True):
        inputs = tokenizer(text, return_tensors="pt")
        given = model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"]).logits[0].argmax()
        right.append(LABELS[given] == label)
    return sum(right) / len(right)


def accuracies(parts, corpus=CORPUS):
    rows = classification_accuracy(parts, tiny_tokenizer(), corpus, LABELS)
    assert all((row["layer"], row["metric"], row["other"]) == ("", "accuracy", "") for row in rows)
    return {row["language"]: row["value"] for row in rows}


@pytest.mark.parametrize("batch", [3, 64])
@pytest.mark.parametrize("model_type", ["xlm-roberta", "mt5", "bloom", "llama"])
def test_batches_equal_one_text_at_a_time(model_type, batch, monkeypatch):
    monkeypatch.setattr(module, "BATCH", batch)
    model = classifier(model_type)
    expected = {language: plain(model, language) for language in CORPUS.texts}
    assert accuracies(parts_of(model)) == {**expected, "": pytest.approx(sum(expected.values()) / 2)}


def test_labels_that_the_model_gives_are_all_right():
    model, tokenizer = classifier(), tiny_tokenizer()
    with torch.no_grad():
        given = [LABELS[model(**tokenizer(text, return_tensors="pt")).logits[0].argmax()] for text in ENGLISH]
    assert len(set(given)) > 1
    right = replace(CORPUS.select(["eng_Latn"]), labels=tuple(given))
    assert accuracies(parts_of(model), right) == {"eng_Latn": 1, "": 1}


def test_dropout_is_off_and_comes_back():
    model = classifier().train()
    model.classifier.eval()
    modes = [part.training for part in model.modules()]
    found = accuracies(parts_of(model))
    assert [part.training for part in model.modules()] == modes
    assert found == accuracies(parts_of(model.eval()))


def test_neurons_that_are_off_stay_off():
    parts = parts_of(classifier())
    mask = torch.ones(2, parts.neurons, dtype=torch.bool)
    with ablate(parts, mask):
        without = accuracies(parts)
        expected = {language: plain(parts.model, language) for language in CORPUS.texts}
    assert without == {**expected, "": pytest.approx(sum(expected.values()) / 2)}


@pytest.mark.parametrize(
    ("labels", "message"),
    [(None, "'toy' has none"), (("weather", *TOPICS[1:]), "labels health, sports, travel .* but got 'weather'")],
)
def test_errors(labels, message):
    with pytest.raises(ValueError, match=message) as caught:
        accuracies(parts_of(classifier()), replace(CORPUS, labels=labels))
    assert "\n" not in str(caught.value)
