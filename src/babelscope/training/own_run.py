"""The files that `babelscope report` needs beside the rows, for a callback in somebody's own Trainer."""

from pathlib import Path

import yaml
from torch import nn

from babelscope.files import write_json, write_text
from babelscope.models.parts import parts_of
from babelscope.models.trainable import trainable_map
from babelscope.training.probe import Probe

MARK = "# Written by a callback of Babelscope.\n"
"""At the top of a run.yaml that is not of `babelscope train`, which writes both files by itself."""


def describe_own_run(probe: Probe, model: nn.Module, *, finished: bool) -> None:
    """Write `run.yaml` and `manifest.json` beside the rows, unless they are those of `babelscope train`.

    Args:
        probe: What is measured, and the run folder; without a folder nothing is written.
        model: The model that is measured.
        finished: Whether the training has come to its end.
    """
    if probe.folder is None:
        return
    file = probe.folder / "run.yaml"
    if file.exists() and not file.read_text(encoding="utf-8").startswith(MARK):
        return
    parts, corpus = parts_of(model, probe.family), probe.prepared.corpus
    name = str(getattr(parts.model.config, "name_or_path", "") or "")
    manifest = {
        "model": Path(name).name or type(parts.model).__name__,
        "model_type": parts.family.model_type,
        "corpus": {
            "name": corpus.name,
            "fingerprint": corpus.fingerprint(),
            "sentences": len(corpus),
            "languages": list(corpus.languages),
        },
        "tokens": probe.prepared.tokens,
        "dtype": str(parts.dtype).removeprefix("torch."),
        "layers": list(parts.layers),
        "trainable": trainable_map(parts).to_rows(),
        "finished": finished,
    }
    write_json(probe.folder, "manifest", manifest)
    config = {"model": {"name": manifest["model"]}, "metrics": {key: {} for key in probe.metrics}}
    write_text(file, MARK + yaml.safe_dump(config, sort_keys=False))
