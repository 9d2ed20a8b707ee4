"""The parts of one loaded model: resolved by its family's row, checked once, and used by everything else."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from peft import PeftModel
from torch import nn
from transformers import PreTrainedModel

from babelscope.models.families import Family, family_of


@dataclass(frozen=True)
class Parts:
    """The modules of one loaded model.

    Layer "0" is the input of block 0, layer "i" the output of block i (counting from 1), and "final" the output of the
    final norm, where the family has one; there, Hugging Face's last hidden state is "final".
    """

    model: nn.Module
    """The model as passed in, including head and adapters."""
    family: Family
    stack: nn.Module
    """Module to call for hidden states."""
    tokens: nn.Module
    """The token table; `tokens.weight` is (V, D). RemBERT's is narrower, with a projection behind it."""
    inputs: tuple[nn.Module, ...]
    """All modules before block 0, and what some checkpoints have beside the blocks, as DeBERTa's convolution."""
    blocks: tuple[nn.Module, ...]
    ffn_out: tuple[nn.Module, ...]
    """One per block: its input is the FFN activation (B, T, F)."""
    ffn_gate: tuple[nn.Module, ...]
    """One per block: its output is the gate (B, T, F)."""
    final_norm: nn.Module | None
    positions: nn.Module | None
    """The learnt table of positions."""
    decoder: nn.Module | None
    """The second stack of an encoder-decoder."""
    lm_head: nn.Module | None
    """The output embedding (D to V) of a language model; None for bare and classifying models."""
    head: tuple[nn.Module, ...]
    """All modules outside the backbone that hold parameters: a classifier, or a whole language-modelling head."""
    rest: tuple[nn.Module, ...]
    """Backbone modules that belong to no other field, such as BERT's pooler."""
    head_held: tuple[nn.Parameter, ...] = ()
    """Parameters outside the backbone that are held by no head module; a custom model may hold some directly."""
    rest_held: tuple[nn.Parameter, ...] = ()
    """Backbone parameters that are held by an enclosing module rather than by any of the modules above."""

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers in order: "0", "1", ..., "L" and, with a final norm, "final"."""
        names = tuple(str(i) for i in range(len(self.blocks) + 1))
        return names if self.final_norm is None else (*names, "final")

    @property
    def width(self) -> int:
        """D, the size of a hidden state; rows of the token table may be narrower and projected to D."""
        return _outputs(self.ffn_out[0])

    @property
    def max_length(self) -> int | None:
        """The longest text, in tokens, that the model can read; None if no table of positions limits it."""
        if self.positions is None:
            return None
        # RoBERTa and its relatives count from the row after the padding row, mBART from its offset, others from row 0
        padding = getattr(self.positions, "padding_idx", None)
        offset = getattr(self.positions, "offset", 0 if padding is None else padding + 1)
        return int(self.positions.weight.shape[0]) - int(offset)  # type: ignore[index]

    @property
    def neurons(self) -> int:
        """F, the number of FFN neurons of a block.

        Raises:
            ValueError: if blocks have different numbers of them.
        """
        # GPT-2's Conv1D calls its input size nx
        sizes = {int(getattr(out, "in_features", getattr(out, "nx", 0))) for out in self.ffn_out}
        if len(sizes) != 1:
            raise ValueError(
                f"Expected the blocks of a {self.family.model_type} model to have equally many FFN neurons, but got "
                f"{', '.join(map(str, sorted(sizes)))}; read its hidden states instead."
            )
        return sizes.pop()

    @property
    def device(self) -> torch.device:
        """Where the stack's first weights are."""
        return next(self.stack.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """The type of the stack's first weights."""
        return next(self.stack.parameters()).dtype

    @property
    def tied(self) -> bool:
        """Whether the output embedding is the token table, compared by identity because configurations can be wrong."""
        return self.lm_head is not None and self.lm_head.weight is self.tokens.weight


def parts_of(model: nn.Module, family: Family | None = None) -> Parts:
    """Find the parts of a model with any head, or of a PEFT model around one.

    Args:
        model: A Hugging Face model: bare, language model or classifier; plain or with injected adapters.
        family: The row to read it by; by default the one of `config.model_type`.

    Raises:
        ValueError: if the model type is unknown, or the model is not what its row says.
    """
    whole = _without_peft(model)
    if not isinstance(whole, PreTrainedModel):
        raise ValueError(
            f"Expected `model` to be a Hugging Face or PEFT model, but got {type(model).__name__}; pass the one inside."
        )
    backbone: nn.Module = whole.base_model
    family = family_of(whole.config.model_type) if family is None else family
    blocks = tuple(_at(backbone, family.blocks, family).children())
    extra = [path for path in family.optional_inputs if _has(backbone, path, family)]
    inputs = tuple(_at(backbone, path, family) for path in (*family.inputs, *extra))
    final_norm = None if family.final_norm is None else _at(backbone, family.final_norm, family)
    positions = None if family.positions is None else _at(backbone, family.positions, family)
    decoder = _at(backbone, family.decoder, family) if family.decoder and hasattr(backbone, family.decoder) else None
    lm_head = whole.get_output_embeddings()
    head = tuple(_outside(whole, backbone, lm_head))
    inner = (*inputs, *blocks, final_norm, decoder, *head)
    known = {id(module) for part in inner if part is not None for module in part.modules()}
    rest = tuple(_outermost_unknown(backbone, known))
    parts = Parts(
        model=model,
        family=family,
        stack=_at(backbone, family.stack, family),
        tokens=_at(backbone, family.tokens, family),
        inputs=inputs,
        blocks=blocks,
        ffn_out=tuple(_at(block, family.ffn_out, family) for block in blocks),
        ffn_gate=tuple(_at(block, family.ffn_gate, family) for block in blocks),
        final_norm=final_norm,
        positions=positions,
        decoder=decoder,
        lm_head=lm_head,
        head=head,
        rest=rest,
        head_held=_held(whole, (backbone, *head)),
        rest_held=_held(backbone, (*inner, *rest)),
    )
    _check(parts, whole)
    return parts


def _without_peft(model: nn.Module) -> nn.Module:
    if not isinstance(model, PeftModel):
        return model
    for name, config in model.peft_config.items():
        if config.is_prompt_learning:
            raise ValueError(
                f"Expected adapters that are injected into the model (LoRA, IA3), but adapter {name!r} is "
                f"{config.peft_type.value}: prompt learning adds positions that no sentence has; use adapter=lora."
            )
    # unlike PeftModel.base_model, which is the tuner, this keeps injected adapters active
    return model.get_base_model()


def _at(root: nn.Module, path: str, family: Family) -> nn.Module:
    try:
        return root.get_submodule(path)
    except AttributeError as error:
        raise ValueError(
            f"Expected {path!r} in a {family.model_type} model, but {type(root).__name__} has no such module; "
            f"correct that path in the row of family {family.model_type!r}."
        ) from error


def _has(root: nn.Module, path: str, family: Family) -> bool:
    parent, _, name = path.rpartition(".")
    return isinstance(getattr(_at(root, parent, family), name, None), nn.Module)


def _outside(whole: nn.Module, backbone: nn.Module, lm_head: nn.Module | None) -> Iterator[nn.Module]:
    """Yield the children that hold parameters and are not part of the backbone."""
    for child in whole.children():
        # a T5 language model is its own backbone, so only its output embedding is a head
        apart = child is not backbone if backbone is not whole else any(m is lm_head for m in child.modules())
        if apart and any(True for _ in child.parameters()):
            yield child


def _outermost_unknown(root: nn.Module, known: set[int]) -> Iterator[nn.Module]:
    """Yield the modules below `root` that hold parameters and no known module."""
    for child in root.children():
        if id(child) in known or not any(True for _ in child.parameters()):
            continue
        if any(id(module) in known for module in child.modules()):
            yield from _outermost_unknown(child, known)
        else:
            yield child


def _held(root: nn.Module, parts: Iterable[nn.Module | None]) -> tuple[nn.Parameter, ...]:
    """Return the parameters below `root` that no part holds."""
    counted = {id(p) for part in parts if part is not None for p in part.parameters()}
    return tuple(p for p in root.parameters() if id(p) not in counted)


def _outputs(linear: nn.Module) -> int:
    # GPT-2's Conv1D calls its output size nf
    return int(getattr(linear, "out_features", getattr(linear, "nf", 0)))


def _check(parts: Parts, whole: PreTrainedModel) -> None:
    """Check the contract without a forward pass."""
    config, name = whole.config, parts.family.model_type
    remedy = f"correct the row of family {name!r}."

    def require(what: str, expected: object, found: object) -> None:
        if expected != found:
            raise ValueError(f"Expected {what} of a {name} model to be {expected}, but got {found}; {remedy}")

    require("the number of blocks", config.num_hidden_layers, len(parts.blocks))
    for i, out in enumerate(parts.ffn_out):
        require(f"`ffn_out` of block {i}", config.hidden_size, _outputs(out))
    if parts.tokens is not whole.get_input_embeddings():
        raise ValueError(f"Expected `tokens` of a {name} model to be its input embeddings, but it is not; {remedy}")
    read = parts.stack.get_input_embeddings()  # type: ignore[operator]
    # PEFT's table with a few trained rows builds its weight anew at every access
    if read is not parts.tokens and read.weight is not parts.tokens.weight:
        raise ValueError(
            f"Expected the stack of a {name} model to read the token table, but it reads a table of its own; "
            "its embeddings are untied: load the checkpoint with another version of transformers, or without an "
            "adapter on its table."
        )
