"""Whether a resumed run has the weights and the texts that it began with."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from babelscope.verbs.folder.kept import RefusedError


def gone_on(folder: Path, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return the manifest of a run that goes on, unless frozen weights or texts changed, which would mix two runs.

    Weights that train come from the checkpoint, so other ones of that name do no harm, but the run began on the old.

    Args:
        folder: Of the run, with the manifest of its beginning; what that lacks, as older ones do, is not compared.
        manifest: Of the run as it would go on.

    Raises:
        RefusedError: if any differs; all that do are named.
    """
    path = folder / "manifest.json"
    before = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    begun = _identity(before)
    differ = [
        f"{what} {here} (begun on {begun[what]})"
        for what, here in _identity(manifest).items()
        if begun.get(what, here) != here
    ]
    if differ:
        raise RefusedError(
            f"Expected {folder} to go on with the weights and the texts that its run was begun on, but got "
            f"{', '.join(differ)}; restore them, or begin a new run in another folder by output=FOLDER."
        )
    return {**manifest, "weights": before.get("weights", manifest["weights"])}


def _identity(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Collect what a manifest says of weights and texts, each by its name."""
    corpus = manifest.get("corpus") or {}
    hashes = {"frozen weights of `model`": manifest.get("frozen"), "tokens of `corpus`": manifest.get("tokens")}
    hashes |= {f"texts of `{key}`": value for key, value in (manifest.get("texts") or {}).items()}
    counts = {
        "number of sentences of `corpus`": corpus.get("sentences"),
        "languages of `corpus`": corpus.get("languages"),
    }
    shown = {what: str(value)[:12] for what, value in hashes.items() if value}
    return shown | {what: str(value) for what, value in counts.items() if value}
