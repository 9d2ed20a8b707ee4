"""Wall time of the demo's training with and without `LayerScores`, as a user starts it.

The lab's checkpoint is made before and not timed. Neither run writes a page, which needs the scores.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from transformers import XLMRobertaConfig, XLMRobertaForMaskedLM
from transformers.utils import logging

from benchmarks.data import make_tokenizer, read_corpus
from benchmarks.result import Check, Line, Settings
from benchmarks.timing import interleave

REPEATS = 3
CALLBACKS = ("task_scores", "checkpoint", "export")
DEMO = ("experiment=demo", "freeze=none", "logger=csv", "page=false")


def measure(settings: Settings) -> Iterator[Line]:
    with tempfile.TemporaryDirectory(dir=settings.scratch or None) as name:
        folder = Path(name)
        if settings.quick:
            languages = "languages.codes=[eng_Latn,deu_Latn,rus_Cyrl,spa_Latn,fra_Latn]"
            small = (f"model.checkpoint={tiny(folder / 'tiny')}", languages, "sentences=6", "trainer=smoke")
            overrides: Sequence[str] = (*DEMO, *small)
        else:
            overrides = DEMO
            babelscope("pretrain", "model=lab_xlmr")
        pairs = interleave(
            partial(train, folder, "with", ("layer_scores", *CALLBACKS), overrides),
            partial(train, folder, "without", CALLBACKS, overrides),
            1 if settings.quick else min(REPEATS, settings.repeats),
            warm=False,
        )
    yield Line(
        "LayerScores in the demo's training",
        "the same training without it",
        pairs.ours,
        pairs.theirs,
        target=0.15,
        share=True,
        checks=[Check("trained weights that are the same", float(pairs.our_result == pairs.their_result), "==", 1)],
    )


def train(folder: Path, name: str, callbacks: Sequence[str], overrides: Sequence[str]) -> str:
    """Train into a folder that is not there yet; give a hash of the weights."""
    number = len(list(folder.glob(f"{name}-*")))
    output = folder / f"{name}-{number}"
    babelscope("train", *overrides, f"callbacks=[{','.join(callbacks)}]", f"output={output}")
    digest, files = hashlib.sha256(), sorted((output / "model").glob("*.safetensors"))
    if not files:
        raise RuntimeError(f"Expected the trained weights in {output / 'model'}, but there are none")
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def babelscope(*arguments: str) -> None:
    """Run the command itself, without a network.

    Raises:
        RuntimeError: If it fails.
    """
    command = [sys.executable, "-m", "babelscope", *arguments]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "WANDB_MODE": "offline"}
    with tempfile.TemporaryDirectory() as folder:  # where Hydra writes what nobody reads
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with status {done.returncode}: {done.stderr[-2000:]}")


def tiny(folder: Path) -> Path:
    """A checkpoint that costs nothing to make."""
    tokenizer = make_tokenizer(read_corpus("", 5, 40), 300)
    config = XLMRobertaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=514,
    )
    logging.disable_progress_bar()
    XLMRobertaForMaskedLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
