"""Likelihoods of whole texts, by plain code and by the harness, and answers that have none."""

import json
import math

import pytest
import torch
from tokenizers import processors

from babelscope.analyses.downstream.harness import load_tasks, score_task
from babelscope.analyses.downstream.harness_model import harness_model
from babelscope.models.load import load
from tests.analyses.downstream.test_harness import write_task
from tests.models.tiny import save_checkpoint

pytest.importorskip("lm_eval")
TEXTS = ("The kettle whistled in the kitchen.", "Ketel itu berbunyi.", "A lamp fell, and it broke.")
BITS = ("word_perplexity", "byte_perplexity", "bits_per_byte")


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    return save_checkpoint(tmp_path_factory.mktemp("model") / "llama", "llama", "lm")


@pytest.fixture
def texts(tmp_path):
    file = tmp_path / "texts.jsonl"
    file.write_text("".join(json.dumps({"text": text}) + "\n" for text in TEXTS))
    folder = write_task(
        *(tmp_path, "texts"),
        dataset_kwargs={"data_files": {"test": str(file)}, "cache_dir": str(tmp_path / "cache")},
        output_type="loglikelihood_rolling",
        validation_split=None,
        doc_to_text="",
        doc_to_target="{{text}}",
        doc_to_choice=None,
        metric_list=[{"metric": metric} for metric in BITS],
    )
    return load_tasks({"eng_Latn": "texts"}, include=folder)["eng_Latn"]


def log_likelihood(loaded, text):
    """Of a text behind one beginning of sentence, by plain Hugging Face code."""
    ids = loaded.tokenizer(text, add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        logits = loaded.model.eval()(input_ids=torch.tensor([[loaded.tokenizer.bos_token_id, *ids]])).logits[0]
    return logits[:-1].log_softmax(-1)[torch.arange(len(ids)), torch.tensor(ids)].sum().item()


# as of LLaMA, of BLOOM, and of a tokenizer that closes a sentence, too
@pytest.mark.parametrize("written", ["<s> $A", "$A", "<s> $A </s>"])
def test_perplexity_is_that_of_the_text_behind_one_beginning(llama, texts, written):
    loaded = load(llama, head="lm")
    ids = [(name, loaded.tokenizer.convert_tokens_to_ids(name)) for name in ("<s>", "</s>")]
    loaded.tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single=written, special_tokens=ids
    )
    scores = score_task(harness_model(loaded), texts).scores
    total = sum(log_likelihood(loaded, text) for text in TEXTS)
    words, size = sum(len(text.split()) for text in TEXTS), sum(len(text.encode()) for text in TEXTS)
    assert scores["word_perplexity"] == pytest.approx(math.exp(-total / words), rel=1e-4)
    assert scores["byte_perplexity"] == pytest.approx(math.exp(-total / size), rel=1e-4)
    assert scores["bits_per_byte"] == pytest.approx(-total / size / math.log(2), rel=1e-4)


def test_an_answer_without_tokens_is_named(llama, tmp_path):
    choices = "{{[choice1, '' if question == 'effect' else choice2]}}"  # the harness looks at the first document's
    folder = write_task(tmp_path, "none", doc_to_choice=choices, target_delimiter="")
    task = load_tasks({"eng_Latn": "none"}, include=folder)["eng_Latn"]
    with pytest.raises(ValueError, match=r"task 'none' to have from 1 to .* but got 0 for '' of document 2;"):
        score_task(harness_model(load(llama, head="lm")), task)
