"""Checkpoints that come with a classifier, trained on with other labels."""

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification

from babelscope.models.load import load
from tests.models.tiny import save_checkpoint, tiny_inputs, tiny_tokenizer

AUTO = {"classification": AutoModelForSequenceClassification, "token_classification": AutoModelForTokenClassification}
FOUR = ("bert", "xlm-roberta", "mt5", "llama")


def classifier(folder, model_type, head, labels):
    base = save_checkpoint(folder / "base", model_type, "lm")
    torch.manual_seed(1)
    model = load(base, head=head, labels=labels).model
    model.save_pretrained(folder / "own")
    tiny_tokenizer().save_pretrained(folder / "own")
    return folder / "own", {name: value.clone() for name, value in model.state_dict().items()}


def changed(model, before):
    after = model.state_dict()
    return {name for name in before if name not in after or not torch.equal(after[name], before[name])}


def head_of(model):
    return {
        name
        for name, _ in model.named_parameters()
        if name.split(".")[0] in ("classifier", "score", "classification_head")
    }


@pytest.mark.parametrize("model_type", FOUR)
@pytest.mark.parametrize(("labels", "kept"), [("abc", True), ("acb", False), ("abd", False), ("abcd", False)])
def test_a_classifier_is_kept_only_for_its_own_labels(model_type, labels, kept, tmp_path, caplog):
    folder, before = classifier(tmp_path, model_type, "classification", tuple("abc"))
    torch.manual_seed(2)
    model = load(folder, head="classification", labels=tuple(labels)).model
    weights = {name for name in head_of(model) if name.endswith("weight")}
    assert weights
    assert changed(model, before) >= (set() if kept else weights)
    assert changed(model, before) <= (set() if kept else head_of(model))
    assert ("is of other labels; a new one is trained" in caplog.text) is not kept
    assert model.config.id2label == dict(enumerate(labels))
    model.save_pretrained(tmp_path / "again")
    again = AUTO["classification"].from_pretrained(tmp_path / "again")
    with torch.no_grad():
        assert torch.equal(again(**tiny_inputs()).logits, model.eval()(**tiny_inputs()).logits)


@pytest.mark.parametrize("model_type", FOUR)
def test_a_classifier_of_texts_is_none_of_words(model_type, tmp_path, caplog):
    folder, before = classifier(tmp_path, model_type, "classification", tuple("abc"))
    torch.manual_seed(2)
    model = load(folder, head="token_classification", labels=tuple("abc")).model
    weights = {name for name in head_of(model) if name.endswith("weight")}
    assert changed(model, {name: value for name, value in before.items() if name in weights}) == weights & set(before)
    assert "is of other labels" in caplog.text


def test_labels_without_names_are_kept_where_there_are_as_many(tmp_path, caplog):
    folder = save_checkpoint(tmp_path, "bert", "classification", labels=3)
    before = {name: value.clone() for name, value in load(folder, head="classification").model.state_dict().items()}
    assert not changed(load(folder, head="classification", labels=tuple("abc")).model, before)
    assert not caplog.text
    assert "classifier.weight" in changed(load(folder, head="classification", labels=tuple("ab")).model, before)
