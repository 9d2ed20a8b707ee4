"""Fine-tuning on tagged words: what is learnt and logged, against a plain forward pass."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from torch.optim import AdamW
from torch.utils.data import DataLoader

from babelscope.data import LabelledCorpus
from babelscope.data.lab import lab_tagged
from babelscope.data.objectives import IGNORED
from babelscope.data.tagging import tag_names
from babelscope.data.tasks import tagging
from babelscope.models.load import load
from babelscope.training import TaskScores
from babelscope.training.data import TaskData
from babelscope.training.span_f1 import SpanF1
from tests.models.tiny import save_checkpoint, tiny_tokenizer
from tests.training.runs import LANGUAGES, make_module, make_trainer


def named(corpus):
    """Agents and places as names, beginning and inside, and all else outside."""
    marks = {"agent": "B-PER", "place": "B-LOC", "time": "I-LOC"}
    return LabelledCorpus(
        corpus.name,
        {
            code: replace(own, tags=tuple(tuple(marks.get(tag, "O") for tag in tags) for tags in own.tags))
            for code, own in corpus.by_language.items()
        },
    )


@pytest.mark.parametrize("model_type", ["xlm-roberta", "mt5", "bloom", "llama"])
def test_words_are_learnt_and_scored_as_a_plain_loop_scores_them(model_type, tmp_path):
    train, test = (named(lab_tagged(LANGUAGES, part, train=64)) for part in ("train", "dev"))
    test = test.subset(20)
    tags = tag_names(train, test)
    assert tags == ("B-LOC", "B-PER", "I-LOC", "O")
    save_checkpoint(tmp_path / "base", model_type, "lm", depth=2)
    model = load(tmp_path / "base", head="token_classification", labels=tags).model
    task = tagging(tiny_tokenizer(), tags)
    data = TaskData(task, train=train, validation=test, test=test, source="eng_Latn", languages=LANGUAGES, batch_size=8)
    scores = TaskScores()
    module = make_module(model, labels=len(tags), tags=tags, optimizer=partial(AdamW, lr=3e-3))
    trainer = make_trainer(tmp_path, scores, max_epochs=6)
    trainer.fit(module, data)
    trainer.test(module, data, verbose=False)
    found = {(row["metric"], row["language"]): row["value"] for row in scores.rows}
    losses = [row["value"] for row in scores.rows if row["metric"] == "validation_loss"]
    assert losses[-1] < losses[0]
    assert set(module.monitored(validated=True)) >= {"validation_accuracy/eng_Latn", "validation_f1/eng_Latn"}
    model.eval()
    for language in LANGUAGES:
        right, words, total, f1 = 0, 0, 0.0, SpanF1(tags)
        for example in DataLoader(task.encode(test, language), batch_size=1, collate_fn=task.collate_same):
            with torch.no_grad():
                logits = model(**{key: example[key] for key in ("input_ids", "attention_mask")}).logits[0]
            labels = example["labels"][0]
            chosen = labels != IGNORED
            right += int((logits.argmax(1) == labels)[chosen].sum())
            words += int(chosen.sum())
            total += float(torch.nn.functional.cross_entropy(logits[chosen], labels[chosen], reduction="sum"))
            f1.update(logits.argmax(1)[None], labels[None])
        assert words == sum(map(len, test.examples(language).words))
        assert found["test_accuracy", language] == pytest.approx(right / words)
        assert found["test_loss", language] == pytest.approx(total / words, rel=1e-4)
        assert found["test_f1", language] == pytest.approx(float(f1.compute()))


def test_tags_that_mark_no_spans_have_no_f1():
    model = torch.nn.Linear(1, 1)
    assert set(make_module(model, labels=2, tags=("NOUN", "VERB")).scores) == {"accuracy"}
    assert set(make_module(model, labels=2, tags=("B-PER", "O")).scores) == {"accuracy", "f1"}
    assert not make_module(model, labels=None).scores
