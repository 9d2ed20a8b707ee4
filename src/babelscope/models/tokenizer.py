"""Load a checkpoint's tokenizer, and make it able to pad and to truncate."""

from pathlib import Path
from typing import Any

from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from babelscope.models.checkpoint import Checkpoint, unreadable
from babelscope.models.parts import Parts


def load_tokenizer(found: Checkpoint, other: str | None = None) -> PreTrainedTokenizerBase:
    """Load the tokenizer: the one saved with the adapters, if there is one, else the model's.

    Args:
        found: The checkpoint.
        other: Folder or Hub id of the tokenizer if it is not with the checkpoint; repositories of intermediate
            checkpoints may have none.

    Raises:
        ValueError: if no tokenizer can be read, or it has no vocabulary.
    """
    own = found.adapter is not None and (found.adapter / "tokenizer_config.json").is_file()
    place, revision = (found.adapter, None) if own else (found.name_or_path, found.revision)
    if other is not None:
        place, revision = str(Path(other).expanduser()), None
    try:
        tokenizer = AutoTokenizer.from_pretrained(place, revision=revision, trust_remote_code=found.trust_remote_code)
    # the Rust parser raises a bare Exception on a file it cannot read
    except Exception as error:
        if other is not None:
            reason = " ".join(str(error).split())[:300]
            raise ValueError(
                f"Expected `model.tokenizer` to be a folder or a Hub id with a tokenizer that can be read, but got "
                f"{other!r} ({reason}); correct it, or write null for the checkpoint's own."
            ) from error
        raise unreadable("a tokenizer that can be read", found, error) from error
    _refuse_empty(tokenizer, place if own or other is not None else str(found), other)
    tokenizer.padding_side = tokenizer.truncation_side = "right"
    return tokenizer


def _refuse_empty(tokenizer: PreTrainedTokenizerBase, place: object, other: str | None) -> None:
    """Refuse a tokenizer without a vocabulary, which transformers 5 builds silently from a folder that has none."""
    # an empty one may still have the space mark; check contents, because the files of a valid one have many names
    if len(set(tokenizer.get_vocab().values()) - set(tokenizer.all_special_ids)) < 2:
        argument = "model.checkpoint" if other is None else "model.tokenizer"
        raise ValueError(
            f"Expected `{argument}` to have a tokenizer, but {place} has no vocabulary of one; set model.tokenizer to "
            "a folder or a Hub id that has."
        )


def share_length(tokenizer: PreTrainedTokenizerBase, parts: Parts) -> None:
    """Limit the tokenizer's length to what the model can read, unless its own limit is lower."""
    if parts.max_length is not None:
        tokenizer.model_max_length = min(tokenizer.model_max_length, parts.max_length)


def share_padding(tokenizer: PreTrainedTokenizerBase, model: PreTrainedModel) -> None:
    """Give tokenizer and model the same padding token, falling back to the end-of-sentence or the unknown token.

    The token table never grows: masks, not ids, mark what is padding, so any token can be used.

    Raises:
        ValueError: if no special token can serve.
    """
    rows = len(model.get_input_embeddings().weight)  # type: ignore[arg-type]
    for token in (tokenizer.pad_token, tokenizer.eos_token, tokenizer.unk_token):
        # a padding token that was added only to the tokenizer has no row in the table
        if token is not None and tokenizer.get_vocab().get(token, rows) < rows:
            tokenizer.pad_token = token
            model.config.pad_token_id = tokenizer.pad_token_id
            return
    raise ValueError(
        f"Expected the tokenizer of `model.checkpoint` to have a padding, end-of-sentence or unknown token among the "
        f"{rows} rows of the token table, but it has none; set pad_token in its tokenizer_config.json."
    )


def share_start(model: PreTrainedModel, objective: str) -> None:
    """Let the decoder of a span model begin with padding, as T5's does, unless its configuration names a start."""
    config: Any = model.config
    if objective == "span" and getattr(config, "decoder_start_token_id", None) is None:
        config.decoder_start_token_id = config.pad_token_id
