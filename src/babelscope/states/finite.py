"""Refuse states that are not finite; the error names layer, language and sentence."""

from torch import Tensor


def refuse_non_finite(
    finite: Tensor, index: Tensor, *, layer: str, languages: tuple[str, ...], ids: tuple[str, ...]
) -> None:
    """Raise if any of B points is not finite.

    Args:
        finite: Whether each point is (B,), bool.
        index: Indices of these points (B,), of the whole corpus or of a batch: l * n + i is sentence i in language l.
        layer: Name of the layer, for the message.
        languages: The K languages.
        ids: The n sentences.

    Raises:
        ValueError: naming the first such point.
    """
    if finite.all():
        return
    bad = index[~finite]
    language, sentence = divmod(int(bad[0]), len(ids))
    # a failure in one batch says nothing about the other batches
    of = "sentences" if len(index) == len(languages) * len(ids) else "sentences in its batch"
    raise ValueError(
        f"Expected finite states, but layer {layer} is not finite for sentence {ids[sentence]!r} in "
        f"{languages[language]} ({len(bad)} of {len(index)} {of}); "
        "load the model with model.dtype=float32 or bfloat16, or check that its training did not diverge."
    )
