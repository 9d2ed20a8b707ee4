"""Wall time of the demo's trainings with and without `LayerScores`, as a user starts them.

One of them alone, whose checkpoint is made before and not timed, and the whole of what `make demo` trains: pre-training
and a sweep of two. Nothing writes a page, which needs the scores.
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

CALLBACKS = ("task_scores", "checkpoint", "export")
DEMO = ("experiment=demo", "logger=csv", "page=false")
ONE = ("LayerScores in the demo's training", ("freeze=none",))
ALL = ("LayerScores in all that `make demo` trains", ("-m", "freeze=none,early"))


def measure(settings: Settings) -> Iterator[Line]:
    with tempfile.TemporaryDirectory(dir=settings.scratch or None) as name:
        folder, made = Path(name), Path(name) / "made"
        small: Sequence[str] = ()
        if settings.quick:
            languages = "languages.codes=[eng_Latn,deu_Latn,rus_Cyrl,spa_Latn,fra_Latn]"
            small = (f"model.checkpoint={tiny(folder / 'tiny')}", languages, "sentences=6", "trainer=smoke")
        else:
            babelscope("pretrain", "model=lab_xlmr", cache=made)
        for work, chosen, cache in (*ONE, made), (*ALL, None):
            overrides = (*chosen, *DEMO, *small)
            pairs = interleave(
                partial(train, folder, ("layer_scores", *CALLBACKS), overrides, cache),
                partial(train, folder, CALLBACKS, overrides, cache),
                1 if settings.quick else settings.repeats,
                warm=False,
            )
            same = float(pairs.our_result == pairs.their_result)
            yield Line(
                work,
                "the same without it",
                pairs.ours,
                pairs.theirs,
                target=0.15,
                share=True,
                checks=[Check("trained weights that are the same", same, "==", 1)],
            )


def train(folder: Path, callbacks: Sequence[str], overrides: Sequence[str], cache: Path | None) -> str:
    """Train below a new folder, from nothing where no cache is given; give a hash of the weights."""
    output = Path(tempfile.mkdtemp(dir=folder))
    job = output / "${hydra:runtime.choices.freeze}"
    chosen = (*overrides, f"callbacks=[{','.join(callbacks)}]", f"output={job}")
    babelscope("train", *chosen, cache=cache or output / "cache")
    digest, files = hashlib.sha256(), sorted(output.glob("*/model/*.safetensors"))
    if not files:
        raise RuntimeError(f"Expected the trained weights below {output}, but there are none")
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def babelscope(*arguments: str, cache: Path) -> None:
    """Run the command itself, without a network and with its own cache of checkpoints and states.

    Raises:
        RuntimeError: If it fails.
    """
    command = [sys.executable, "-m", "babelscope", *arguments]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "WANDB_MODE": "offline", "BABELSCOPE_CACHE": str(cache)}
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
