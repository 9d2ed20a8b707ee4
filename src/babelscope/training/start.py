"""Tensors of step 0, kept for what later measurements compare with them, also in a run that is resumed."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from babelscope.files import whole_file


class StartTensors:
    """What was measured at step 0: in a file of the run folder, read one tensor at a time, or in memory without one.

    Args:
        file: Where it is kept, as `RUN/states/layers.safetensors`; None keeps it in memory.
        origin: What it was measured on and how, by name; read back only for the same.
        what: What errors call it, in the plural, as "states".
        remedy: How a run does without it, in the imperative.
    """

    def __init__(self, file: Path | None, origin: Mapping[str, str], *, what: str, remedy: str):
        self.file, self.origin, self.what, self.remedy = file, dict(origin), what, remedy
        self.dry = False
        """Whether the file is left alone, as in a trial."""
        self._in_memory: tuple[Mapping[str, Tensor], dict[str, Any]] | None = None

    def keep(self, tensors: Mapping[str, Tensor], **about: Any) -> None:
        """Keep tensors by name, and plain values beside them, in place of any there were."""
        if self.file is None or self.dry:
            self._in_memory = tensors, about
            return
        whole = {name: tensor.contiguous() for name, tensor in tensors.items()}
        # the order of the names, which safetensors does not keep, under the key that it always had
        metadata = {"origin": json.dumps(self.origin), "about": json.dumps({"layers": list(whole), **about})}
        with whole_file(self.file) as temporary:
            save_file(whole, temporary, metadata=metadata)

    def read(self) -> tuple[Mapping[str, Tensor], dict[str, Any]]:
        """Return the tensors of step 0, and the values beside them.

        Raises:
            ValueError: if there are none, or they are of another origin.
        """
        if self._in_memory is not None and (self.file is None or self.dry):
            return self._in_memory
        if self.file is None or not self.file.is_file():
            raise ValueError(
                f"Expected the {self.what} of step 0 in {self.file or 'memory'}, but there are none; {self.remedy}, or "
                "start a new run folder."
            )
        with safe_open(self.file, "pt") as kept:
            metadata, names = kept.metadata(), list(kept.keys())
        about = json.loads(metadata.get("about", "{}"))
        # files of before have their origin among the values, where the oldest do not name the pooling
        origin = json.loads(metadata["origin"]) if "origin" in metadata else {**self.origin, **about}
        if other := [
            f"{name} ({_short(origin.get(name))}, now {_short(now)})"
            for name, now in self.origin.items()
            if origin.get(name) != now
        ]:
            raise ValueError(
                f"Expected the {self.what} of step 0 in {self.file} to be measured as they are now, but they are with "
                f"other {', '.join(other)}; go on with the same corpus, tokenizer and settings, or start a new "
                "run folder."
            )
        return StoredTensors(self.file, tuple(about.get("layers", names))), about


def _short(value: object) -> str:
    """Cut hashes, which twelve letters tell apart."""
    text = str(value)
    return text if len(text) < 40 else f"{text[:12]}..."


class StoredTensors(Mapping[str, Tensor]):
    """Tensors in one file, each read when it is asked for."""

    def __init__(self, file: Path, names: tuple[str, ...]):
        self.file, self.names = file, names

    def __getitem__(self, name: str) -> Tensor:
        if name not in self.names:
            raise KeyError(name)
        with safe_open(self.file, "pt") as kept:
            return kept.get_tensor(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)
