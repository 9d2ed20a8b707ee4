"""What libraries say at every start and no user can act on."""

import logging
import os
import warnings

from transformers.utils import logging as transformers_logging


def quiet() -> None:
    """Leave the terminal to progress, tables and real warnings."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    logging.getLogger("lightning.fabric").setLevel(logging.WARNING)
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # its retries; the last failure is an error of ours
    os.environ.setdefault("WANDB_SILENT", "true")
    transformers_logging.disable_progress_bar()
    for message in (
        ".*isinstance.treespec, LeafSpec.*",  # Lightning asks torch in an old way
        ".*does not have many workers.*",  # sentences are in memory: workers would only cost start-up
        ".*in eval mode at the start of training.*",  # frozen blocks, on purpose
        ".*smaller than the logging interval.*",
        ".*srun.*command is available.*",
        ".*sync_dist=True.*",  # what the first process measured is the same for all
        ".*Checkpoint directory .* exists and is not empty.*",  # a resumed run
    ):
        warnings.filterwarnings("ignore", message=message)
