"""What is measured on: points with languages in them, sentences, and an encoder with random weights."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor
from transformers import PreTrainedModel, XLMRobertaConfig, XLMRobertaModel

from babelscope.data.corpora import Corpus
from babelscope.data.lab import lab
from babelscope.data.lab.lexicon import LANGUAGES
from babelscope.data.loaders import sib200
from babelscope.data.vocabulary import xlmr_unigram
from babelscope.metrics.sample import LayerSample

LISTED = Path(__file__).parents[2] / "conf" / "languages" / "ilo31.yaml"
ILO31: list[str] = yaml.safe_load(LISTED.read_text())["codes"]
"""The 31 languages of Wilie et al. 2025."""
JOINED = 4
"""Sentences of the lab that are about as long as one of SIB-200."""


def points(languages: int, sentences: int, width: int, *, apart: float = 0.5, seed: int = 0) -> LayerSample:
    """States (K * n, D): what a language has in common, times `apart`, what a meaning has, and noise."""
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(languages, sentences, width, generator=g)
    x += apart * torch.randn(languages, 1, width, generator=g)
    x += torch.randn(sentences, width, generator=g)
    language = torch.arange(languages).repeat_interleave(sentences)
    return LayerSample(x.flatten(0, 1), language, torch.arange(sentences).repeat(languages))


def read_corpus(folder: str, languages: int, sentences: int) -> Corpus:
    """Sentences of SIB-200's test split, of all splits if there are too few; of the lab where the folder is absent.

    The lab knows fewer languages than SIB-200 has, so there may be fewer than asked for; its sentences are joined.
    """
    if folder and Path(folder).is_dir():
        split = "test" if sentences <= 204 else "all"
        return sib200(ILO31[:languages], split, folder=folder).take(range(sentences))
    made = lab(list(LANGUAGES)[:languages], "train", train=sentences * JOINED)
    texts = {
        code: tuple(" ".join(lines[i : i + JOINED]) for i in range(0, len(lines), JOINED))
        for code, lines in made.texts.items()
    }
    return Corpus("lab", made.ids[::JOINED], texts)


def make_tokenizer(corpus: Corpus, size: int) -> Any:
    """A subword tokenizer of this text."""
    return xlmr_unigram((text for lines in corpus.texts.values() for text in lines), size=size)


def make_encoder(vocabulary: int, width: int, depth: int, *, dtype: torch.dtype = torch.float32) -> PreTrainedModel:
    """An XLM-R with random weights, larger than usual ones, with which all sentences would have nearly equal states."""
    config = XLMRobertaConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        num_hidden_layers=depth,
        num_attention_heads=max(1, width // 64),
        intermediate_size=4 * width,
        max_position_embeddings=514,
        type_vocab_size=1,
        initializer_range=0.1,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return XLMRobertaModel(config, add_pooling_layer=False).eval().to(dtype)


@torch.no_grad()
def pool_one_by_one(model: PreTrainedModel, tokenizer: Any, texts: Iterable[str]) -> list[Tensor]:
    """The published recipe: batch size 1, all hidden states kept, and the mean over tokens that are not special.

    Returns one (S, D) float32 tensor per layer.
    """
    device = next(model.parameters()).device
    rows = []
    for text in texts:
        encoded = tokenizer(text, return_tensors="pt", truncation=True, max_length=512, return_special_tokens_mask=True)
        ordinary = encoded.pop("special_tokens_mask")[0] == 0
        hidden = model(**encoded.to(device), output_hidden_states=True, use_cache=False).hidden_states
        rows.append([state[0][ordinary.to(device)].float().mean(0).cpu() for state in hidden])
    return [torch.stack(layer) for layer in zip(*rows, strict=True)]


def all_texts(corpus: Corpus) -> list[str]:
    """Language after language."""
    return [text for lines in corpus.texts.values() for text in lines]
