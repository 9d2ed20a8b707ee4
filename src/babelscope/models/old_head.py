"""A classifier that a checkpoint already has, where another one is to be trained."""

import logging
from collections.abc import Sequence

from transformers import PreTrainedModel

from babelscope.models.families import Head
from babelscope.models.raw_config import RawConfig
from babelscope.models.saved_adapters import CLASSIFIERS

CLASSES = {"classification": "ForSequenceClassification", "token_classification": "ForTokenClassification"}
"""How names of transformers' classes with these heads end."""
CLASSIFIER_MODULES = {name.partition(".")[0] for name in CLASSIFIERS}
"""Names of classifiers in models of transformers."""

logger = logging.getLogger(__name__)


def has_other_classifier(raw: RawConfig, head: Head, labels: int | Sequence[str] | None, place: str) -> bool:
    """Return whether a checkpoint's classifier is of other labels, or of texts where words are tagged, and say so.

    Its weights would be read wherever names and shapes fit, as if one label were another. Labels without names, as
    transformers numbers them, are taken to be the same where there are as many.

    Args:
        raw: The checkpoint's configuration.
        head: The classifier to be trained.
        labels: Names of its classes; a number of them says nothing about whether they are the same.
        place: The checkpoint, for the message.
    """
    kind = next((name for name in raw.get("architectures") or () if name.endswith(tuple(CLASSES.values()))), None)
    if kind is None or labels is None or isinstance(labels, int):
        return False
    named = {int(number): str(name) for number, name in (raw.get("id2label") or {0: "LABEL_0", 1: "LABEL_1"}).items()}
    own = [named[number] for number in sorted(named)]
    numbered = all(name == f"LABEL_{number}" for number, name in named.items())
    same = len(own) == len(labels) if numbered else own == list(labels)
    if same and kind.endswith(CLASSES[head]):
        return False
    logger.warning(
        "The classifier of %s (%s: %s) is of other labels; a new one is trained.", place, kind, ", ".join(own)[:60]
    )
    return True


def begin_classifier(model: PreTrainedModel) -> None:
    """Draw the weights of a model's classifier, as transformers does where a checkpoint has none."""
    for name, module in model.named_children():
        if name in CLASSIFIER_MODULES:
            for parameter in module.parameters():
                parameter._is_hf_initialized = False  # type: ignore[attr-defined]  # else it would be left as it is
            module.apply(model._init_weights)
