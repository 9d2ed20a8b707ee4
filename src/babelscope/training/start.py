"""Pooled states of step 0, kept for the metrics that compare with them."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from babelscope.files import whole_file
from babelscope.states.embed import Pooled


class StartStates:
    """The states of step 0: in a file of the run folder, read one layer at a time, or in memory where there is none.

    Args:
        file: Where they are kept, as `RUN/states/layers.safetensors`; None keeps them in memory.
        tokens: Hash of the tokens that they are states of.
        pool: What pooled them.
    """

    def __init__(self, file: Path | None, tokens: str, pool: str):
        self.file, self.tokens, self.pool = file, tokens, pool
        self.pooled: Pooled | None = None

    def keep(self, pooled: Pooled) -> None:
        """Keep the states of step 0, in place of any there were."""
        if self.file is None:
            self.pooled = pooled
            return
        about = {"layers": list(pooled.layers), "names": pooled.languages, "ids": pooled.ids}
        about |= {"tokens": self.tokens, "pool": self.pool}
        whole = {layer: x.contiguous() for layer, x in pooled.layers.items()}
        with whole_file(self.file) as temporary:
            save_file(whole, temporary, metadata={"about": json.dumps(about)})

    def read(self) -> Pooled:
        """Give back the states of step 0.

        Raises:
            ValueError: if none were kept, or they are of other tokens, or were pooled otherwise.
        """
        if self.pooled is not None:
            return self.pooled
        if self.file is None or not self.file.is_file():
            raise ValueError(
                f"Expected the states of step 0 in {self.file or 'memory'}, but there are none; leave out the metrics "
                "that compare with them, such as drift, or start a new run folder."
            )
        with safe_open(self.file, "pt") as kept:
            about = json.loads(kept.metadata()["about"])
        if about["tokens"] != self.tokens:
            raise ValueError(
                f"Expected the states of step 0 in {self.file} to be of the tokens that are measured now, but they are "
                "of others; go on with the same corpus and tokenizer, or start a new run folder."
            )
        if about.get("pool", self.pool) != self.pool:  # older files do not say
            raise ValueError(
                f"Expected the states of step 0 in {self.file} to be pooled as they are now, by {self.pool}, but they "
                f"were by {about['pool']}; go on with the same pooling, or start a new run folder."
            )
        return Pooled(KeptLayers(self.file, tuple(about["layers"])), tuple(about["names"]), tuple(about["ids"]))


class KeptLayers(Mapping[str, Tensor]):
    """Layers in one file, each read when it is asked for."""

    def __init__(self, file: Path, layers: tuple[str, ...]):
        self.file, self.layers = file, layers

    def __getitem__(self, layer: str) -> Tensor:
        with safe_open(self.file, "pt") as kept:
            return kept.get_tensor(layer)

    def __iter__(self) -> Iterator[str]:
        return iter(self.layers)

    def __len__(self) -> int:
        return len(self.layers)
