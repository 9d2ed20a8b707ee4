"""Tiny random models of every family and a byte-level tokenizer: the same classes as real ones, with no download."""

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    AutoModelForTextEncoding,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from babelscope.models.families import FAMILIES

WIDTH, DEPTH, LABELS = 32, 4, 7
SPECIAL = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
SENTINELS = tuple(f"<extra_id_{i}>" for i in range(8))
VOCABULARY = len(SPECIAL) + 256 + len(SENTINELS)

_IDS = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
_ENCODER = {"intermediate_size": 48, "num_attention_heads": 4, "max_position_embeddings": 520}
_GATED = {**_ENCODER, "num_key_value_heads": 2, "head_dim": 8}
_STACK = {"layers": 4, "attention_heads": 4, "ffn_dim": 48}
_T5 = {"d_kv": 8, "d_ff": 48, "num_heads": 4, "decoder_start_token_id": 1}
_TRANSLATOR = {
    **{f"{stack}_{key}": value for stack in ("encoder", "decoder") for key, value in _STACK.items()},
    "max_position_embeddings": 520,
    "decoder_start_token_id": 2,
}
# as published; in the configuration's default there are no distances
_DISTANCES = {
    "relative_attention": True,
    "position_buckets": 16,
    "pos_att_type": ["p2c", "c2p"],
    "norm_rel_ebd": "layer_norm",
    "share_att_key": True,
    "position_biased_input": False,
}
_SIZES: dict[str, dict[str, Any]] = {
    "xlm-roberta": _ENCODER,
    "xlm-roberta-xl": _ENCODER,
    "bert": _ENCODER,
    "roberta": _ENCODER,
    "camembert": _ENCODER,
    "rembert": {**_ENCODER, "input_embedding_size": 24, "output_embedding_size": 40},
    "deberta-v2": {**_ENCODER, **_DISTANCES},
    "distilbert": {"n_heads": 4, "hidden_dim": 48, "max_position_embeddings": 520},
    "modernbert": {**_ENCODER, "local_attention": 16},
    "eurobert": _GATED,
    "t5": _T5,
    "mt5": _T5,
    "umt5": _T5,
    "m2m_100": _TRANSLATOR,
    "mbart": _TRANSLATOR,
    "bloom": {"n_head": 4},
    "gpt2": {"n_head": 4, "n_inner": 48, "n_positions": 520},
    "xglm": {"attention_heads": 4, "ffn_dim": 48, "max_position_embeddings": 520},
    "gpt_neox": _ENCODER,
    "llama": _GATED,
    "qwen2": {key: value for key, value in _GATED.items() if key != "head_dim"},
    "qwen3": _GATED,
    "gemma": _GATED,
    "gemma2": _GATED,
    "gemma3_text": _GATED,
    "mistral": _GATED,
    "cohere": _GATED,
    "cohere2": _GATED,
    "apertus": {**_GATED, "rope_parameters": {"rope_type": "default", "rope_theta": 1e4}},
    "olmo2": _GATED,
    "smollm3": _GATED,
    "granite": _GATED,
    "helium": _GATED,
    "nemotron": _GATED,
    "phi3": {key: value for key, value in _GATED.items() if key != "head_dim"},
}
_LM = {
    "masked": AutoModelForMaskedLM,
    "span": AutoModelForSeq2SeqLM,
    "causal": AutoModelForCausalLM,
    "translation": AutoModelForSeq2SeqLM,
}
NO_CLASSIFIER = ("xglm", "cohere", "cohere2", "apertus", "m2m_100", "granite")
"""Families that transformers has no classifier of."""
TRANSLATORS = tuple(name for name, row in FAMILIES.items() if row.objective == "translation")
"""Families that are loaded as language models by nobody here."""
ALL_HEADS = [
    (name, head)
    for name in FAMILIES
    for head in ("base", "lm", "classification")
    if (head != "classification" or name not in NO_CLASSIFIER) and (head != "lm" or name not in TRANSLATORS)
]
"""Every family with every head that it has."""
CLASSIFIERS = [name for name, head in ALL_HEADS if head == "classification"]


def tiny_config(model_type: str, *, depth: int = DEPTH, **changes: object) -> PreTrainedConfig:
    """A configuration of width 32; `depth` blocks."""
    general = {"vocab_size": VOCABULARY, "hidden_size": WIDTH, "num_hidden_layers": depth, **_IDS}
    config = AutoConfig.for_model(model_type, **{**_SIZES[model_type], **general, **changes})
    if hasattr(config, "num_decoder_layers"):
        config.num_decoder_layers = depth
    return config


def tiny_model(
    model_type: str, head: str = "base", *, depth: int = DEPTH, labels: int = LABELS, seed: int = 0, **changes: object
) -> PreTrainedModel:
    """A random model with the head of `head` ("base", "lm" or "classification"), in evaluation mode."""
    config = tiny_config(model_type, depth=depth, **changes)
    objective = FAMILIES[model_type].objective
    base = AutoModelForTextEncoding if objective == "span" else AutoModel
    if head == "classification":
        config.num_labels = labels
    auto: Any = {"base": base, "classification": AutoModelForSequenceClassification, "lm": _LM[objective]}[head]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = auto.from_config(config)
        # the usual initialisation is so small that every sentence has nearly the same states
        for parameter in model.parameters():
            if parameter.dim() > 1:
                torch.nn.init.normal_(parameter, std=0.2)
    return model.eval()


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """One token per UTF-8 byte, so that any text of any script has tokens of its own; `<s> ... </s>` around it."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: i for i, token in enumerate([*SPECIAL, *alphabet, *SENTINELS])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
        mask_token="<mask>",
        extra_special_tokens=list(SENTINELS),
        model_max_length=512,
    )


def tiny_inputs(*, sentences: int = 3, tokens: int = 9, seed: int = 0) -> dict[str, torch.Tensor]:
    """Right-padded random ids (S, T) of different lengths that end in </s>, and their mask."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(len(SPECIAL), 200, (sentences, tokens), generator=generator)
    lengths = tokens - torch.arange(sentences)
    mask = (torch.arange(tokens)[None, :] < lengths[:, None]).long()
    ids[torch.arange(sentences), lengths - 1] = _IDS["eos_token_id"]
    return {"input_ids": torch.where(mask.bool(), ids, _IDS["pad_token_id"]), "attention_mask": mask}


def save_checkpoint(folder: Path, model_type: str, head: str = "base", **keys: object) -> Path:
    """Write a tiny model and its tokenizer as a local checkpoint; gives the folder back."""
    tiny_model(model_type, head, **keys).save_pretrained(folder)  # type: ignore[arg-type]
    tiny_tokenizer().save_pretrained(folder)
    return folder
