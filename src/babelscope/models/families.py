"""Where the layers of each model family are: one row of data per family, and nothing else names a family."""

import json
from dataclasses import dataclass, replace
from typing import Literal

Objective = Literal["masked", "span", "causal", "translation"]
Head = Literal["base", "classification", "token_classification", "lm"]
"""Head of a model: none, a classifier of texts or tokens, or the language-modelling head of the family's objective."""


@dataclass(frozen=True, kw_only=True)
class Family:
    """Where the modules of one model family are; a new family is one more row, here or in a configuration."""

    model_type: str
    """`config.model_type` of Hugging Face."""
    stack: str
    """Path from the backbone to the module to call for hidden states; "" is the backbone itself."""
    tokens: str
    """Path from the backbone to the token table."""
    inputs: tuple[str, ...]
    """Paths from the backbone to everything before block 0."""
    optional_inputs: tuple[str, ...] = ()
    """Paths from the backbone to what only some checkpoints have beside the blocks; it counts as inputs."""
    blocks: str
    """Path from the backbone to the list of blocks."""
    ffn_out: str
    """Path from a block to the down-projection; its input is the FFN activation."""
    ffn_gate: str
    """Path from a block to the nonlinearity; its output is the gate."""
    final_norm: str | None
    """Path from the backbone to the norm after the last block; None where each block ends in its own norm."""
    positions: str | None = None
    """Path from the backbone to the learnt table of positions; None where they are relative, rotary or computed."""
    decoder: str | None = None
    """Path from the backbone to a second stack that reads the first; a backbone may be loaded without it."""
    objective: Objective
    """Training objective, which decides the language-modelling head; translation has none for a single language."""
    lora_targets: tuple[str, ...]
    """Names of the linear layers that LoRA adapts by default."""
    float16: bool = True
    """False where the activations of published checkpoints overflow 65504."""
    bypass_remedy: str | None = None
    """What a user can do where the model's code bypasses `ffn_out`, if a setting makes it do so."""

    def __post_init__(self) -> None:
        # configuration files give lists
        object.__setattr__(self, "inputs", tuple(self.inputs))
        object.__setattr__(self, "optional_inputs", tuple(self.optional_inputs))
        object.__setattr__(self, "lora_targets", tuple(self.lora_targets))


def _bert(model_type: str, final_norm: str | None = None) -> Family:
    return Family(
        model_type=model_type,
        stack="",
        tokens="embeddings.word_embeddings",
        inputs=("embeddings",),
        blocks="encoder.layer",
        ffn_out="output.dense",
        ffn_gate="intermediate.intermediate_act_fn",
        final_norm=final_norm,
        positions="embeddings.position_embeddings",
        objective="masked",
        lora_targets=("query", "value"),
    )


def _t5(model_type: str) -> Family:
    return Family(
        model_type=model_type,
        stack="encoder",
        tokens="shared",
        inputs=("shared", "encoder.embed_tokens"),
        blocks="encoder.block",
        ffn_out="layer.1.DenseReluDense.wo",
        ffn_gate="layer.1.DenseReluDense.act",
        final_norm="encoder.final_layer_norm",
        decoder="decoder",
        objective="span",
        lora_targets=("q", "v"),
        float16=False,
    )


def _translator(model_type: str, inputs: tuple[str, ...], positions: str | None = None) -> Family:
    return Family(
        model_type=model_type,
        stack="encoder",
        tokens="shared",
        inputs=("shared", "encoder.embed_tokens", *inputs),
        blocks="encoder.layers",
        ffn_out="fc2",
        ffn_gate="activation_fn",
        final_norm="encoder.layer_norm",
        positions=positions,
        decoder="decoder",
        objective="translation",
        lora_targets=("q_proj", "v_proj"),
    )


def _llama(model_type: str, objective: Objective = "causal", *, float16: bool = True) -> Family:
    return Family(
        model_type=model_type,
        stack="",
        tokens="embed_tokens",
        inputs=("embed_tokens",),
        blocks="layers",
        ffn_out="mlp.down_proj",
        ffn_gate="mlp.act_fn",
        final_norm="norm",
        objective=objective,
        lora_targets=("q_proj", "v_proj"),
        float16=float16,
    )


_ROWS = (
    _bert("xlm-roberta"),
    _bert("xlm-roberta-xl", final_norm="encoder.LayerNorm"),
    _bert("bert"),
    _bert("roberta"),
    _bert("camembert"),
    replace(_bert("rembert"), inputs=("embeddings", "encoder.embedding_hidden_mapping_in")),
    # the relative distances that all blocks read count as inputs
    replace(
        _bert("deberta-v2"),
        inputs=("embeddings", "encoder.rel_embeddings", "encoder.LayerNorm"),
        optional_inputs=("encoder.conv",),
        positions=None,
        lora_targets=("query_proj", "value_proj"),
    ),
    replace(
        _bert("distilbert"),
        blocks="transformer.layer",
        ffn_out="ffn.lin2",
        ffn_gate="ffn.activation",
        lora_targets=("q_lin", "v_lin"),
    ),
    Family(
        model_type="modernbert",
        stack="",
        tokens="embeddings.tok_embeddings",
        inputs=("embeddings",),
        blocks="layers",
        ffn_out="mlp.Wo",
        ffn_gate="mlp.act",
        final_norm="final_norm",
        objective="masked",
        lora_targets=("Wqkv",),
    ),
    _llama("eurobert", objective="masked"),
    _t5("t5"),
    _t5("mt5"),
    _t5("umt5"),
    # also NLLB; positions are computed, not learnt
    _translator("m2m_100", ()),
    _translator("mbart", ("encoder.embed_positions", "encoder.layernorm_embedding"), "encoder.embed_positions"),
    Family(
        model_type="bloom",
        stack="",
        tokens="word_embeddings",
        inputs=("word_embeddings", "word_embeddings_layernorm"),
        blocks="h",
        ffn_out="mlp.dense_4h_to_h",
        ffn_gate="mlp.gelu_impl",
        final_norm="ln_f",
        objective="causal",
        lora_targets=("query_key_value",),
        bypass_remedy="set slow_but_exact=false in the model's config",
    ),
    Family(
        model_type="gpt2",
        stack="",
        tokens="wte",
        inputs=("wte", "wpe"),
        blocks="h",
        ffn_out="mlp.c_proj",
        ffn_gate="mlp.act",
        final_norm="ln_f",
        positions="wpe",
        objective="causal",
        lora_targets=("c_attn",),
    ),
    replace(_llama("xglm"), ffn_out="fc2", ffn_gate="activation_fn", final_norm="layer_norm"),
    Family(
        model_type="gpt_neox",
        stack="",
        tokens="embed_in",
        inputs=("embed_in",),
        blocks="layers",
        ffn_out="mlp.dense_4h_to_h",
        ffn_gate="mlp.act",
        final_norm="final_layer_norm",
        objective="causal",
        lora_targets=("query_key_value",),
    ),
    _llama("llama"),
    _llama("mistral"),
    _llama("qwen2"),
    _llama("qwen3"),
    _llama("gemma"),
    _llama("gemma2"),
    _llama("gemma3_text", float16=False),
    _llama("cohere"),
    _llama("cohere2"),
    _llama("apertus"),
    _llama("olmo2"),
    _llama("smollm3"),
    _llama("granite"),
    _llama("helium"),
    _llama("nemotron"),
    replace(_llama("phi3"), ffn_gate="mlp.activation_fn", lora_targets=("qkv_proj",)),
)

FAMILIES: dict[str, Family] = {row.model_type: row for row in _ROWS}


def family_of(model_type: str) -> Family:
    """Look up the row of a model type.

    Raises:
        ValueError: if the type is unknown; the message lists the known ones and shows the row to write.
    """
    if model_type in FAMILIES:
        return FAMILIES[model_type]
    row = json.dumps(vars(FAMILIES["llama"]))
    raise ValueError(
        f"Expected `model_type` to be one of {', '.join(sorted(FAMILIES))}, but got {model_type!r}; "
        f"describe it by a row in `model.family`, like that of llama: {row}"
    )
