"""What a run's numbers depend on, beyond its configuration."""

import hashlib
import json
import platform
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from hydra.core.hydra_config import HydraConfig

from babelscope.data.corpora import Corpus
from babelscope.data.tasks import TaskCorpus
from babelscope.models.load import Loaded

UNTRAINED = {"freeze": "", "adapter": ""}
"""The setting of a run that trains nothing."""
LIBRARIES = ("babelscope", "torch", "transformers", "tokenizers", "peft", "pytorch-lightning", "scikit-learn")


def describe(
    loaded: Loaded,
    corpus: Corpus,
    *,
    weights: str,
    tokens: str,
    setting: Mapping[str, str] = UNTRAINED,
    source: str = "",
) -> dict[str, Any]:
    """Describe model, text, pooling, libraries and machine of a run, for its manifest.json."""
    model = loaded.model
    return {
        "model": getattr(model.config, "name_or_path", "") or type(model).__name__,
        "model_type": loaded.parts.family.model_type,
        "weights": weights,
        "corpus": {
            "name": corpus.name,
            "fingerprint": corpus.fingerprint(),
            "sentences": len(corpus.ids),
            "languages": list(corpus.languages),
        },
        "tokens": tokens,
        "pool": HydraConfig.get().runtime.choices["pool"],
        "dtype": str(loaded.parts.dtype).removeprefix("torch."),
        "layers": list(loaded.parts.layers),
        "setting": dict(setting),
        "source_language": source,
        "trainable": loaded.trainable.to_rows(),
        **software(),
    }


def text_fingerprint(text: TaskCorpus) -> str:
    """Hash texts and labels."""
    labels = text.labels if isinstance(text, Corpus) else None  # a corpus's own hash is of its sentences alone
    return hashlib.sha256(json.dumps([text.fingerprint(), labels]).encode()).hexdigest()


def software() -> dict[str, Any]:
    """Tell the libraries and the machine."""
    return {
        "versions": {library: version(library) for library in LIBRARIES},
        "host": platform.node(),
        "python": platform.python_version(),
    }
