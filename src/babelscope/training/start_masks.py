"""Key neurons of step 0, kept so that later ones can be compared with them, also by a resumed run."""

import json
from collections.abc import Mapping
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from babelscope.files import whole_file


class StartMasks:
    """One mask (L, F) of neurons per language: in a file of the run folder, or in memory where there is none.

    Args:
        file: Where they are kept, as `RUN/states/key-neurons-gate.safetensors`; None keeps them in memory.
        origin: What they were found on and how, by name, such as the hash of the tokens and the pooling.
    """

    def __init__(self, file: Path | None, origin: Mapping[str, str]):
        self.file, self.origin = file, dict(origin)
        self.masks: Mapping[str, Tensor] | None = None

    def keep(self, masks: Mapping[str, Tensor]) -> None:
        """Keep the masks of step 0, in place of any there were."""
        if self.file is None:
            self.masks = masks
            return
        whole = {language: mask.contiguous() for language, mask in masks.items()}
        with whole_file(self.file) as temporary:
            save_file(whole, temporary, metadata={"origin": json.dumps(self.origin)})

    def read(self) -> Mapping[str, Tensor]:
        """Give back the masks of step 0.

        Raises:
            ValueError: if none were kept, or they are of another origin; the message names what differs.
        """
        if self.masks is not None:
            return self.masks
        if self.file is None or not self.file.is_file():
            raise ValueError(
                f"Expected the key neurons of step 0 in {self.file or 'memory'}, but there are none; "
                "leave out callbacks=neuron_scores, or start a new run folder."
            )
        with safe_open(self.file, "pt") as kept:
            before = json.loads(kept.metadata()["origin"])
            if other := [name for name, now in self.origin.items() if before.get(name) != now]:
                raise ValueError(
                    f"Expected the key neurons of step 0 in {self.file} to be found as they are now, but with other "
                    f"{', '.join(other)}; go on with the same, or start a new run folder."
                )
            return {language: kept.get_tensor(language) for language in kept.keys()}  # noqa: SIM118
