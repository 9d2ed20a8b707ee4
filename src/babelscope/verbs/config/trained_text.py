"""Sentences that a model was fine-tuned on, in the trained language or in translation, and that are measured."""

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from omegaconf import DictConfig, OmegaConf

from babelscope.data.corpora import Corpus
from babelscope.data.tasks import TaskCorpus
from babelscope.report.table import Run, read_head
from babelscope.verbs.config.building import build
from babelscope.verbs.config.overlap import another_split
from babelscope.verbs.folder.manifest import text_fingerprint
from babelscope.verbs.folder.origin import training_of

Read = Callable[[str], TaskCorpus]
"""Reads what is trained on, but in this language."""

logger = logging.getLogger(__name__)


def read_trained(read: Any, task: Mapping[str, Any], seed: int, language: str) -> TaskCorpus:
    """Read what a task trains on, or its translations.

    Args:
        read: Loader of the task's text.
        task: The task's part of a configuration.
        seed: Of the choice of examples.
        language: Code.
    """
    found: TaskCorpus = read([language], split=task["train"])
    return found.subset(task.get("examples"), seed=seed)


def warn_trained(cfg: DictConfig, probed: Corpus) -> None:
    """Warn where sentences are measured that the checkpoint was fine-tuned on, as far as its run folder tells.

    They are read again by the loader of `corpus`, where the training read the same text by it, and taken for those of
    the training only with the hash in its manifest. Nothing is said where that does not tell.
    """
    folder = None if cfg.model.checkpoint is None else training_of(cfg.model.checkpoint)
    if folder is None:
        return
    with suppress(ValueError, OSError):  # run folder or text of the training are not as they were
        run = read_head(folder)
        read, task = _reader(run, cfg), run.config.get("task") or {}
        source, told = str(task.get("language")), (run.manifest.get("texts") or {}).get("task.train")
        if read is not None and text_fingerprint(read(source)) == told:
            both = OmegaConf.create({"corpus": {"split": cfg.corpus.get("split")}, "task": {"train": task["train"]}})
            _warn(both, read, source, probed, f"that {folder} was fine-tuned on")


def warn_translations(cfg: DictConfig, read: Read, source: str, probed: Corpus) -> None:
    """Warn where what is measured leaves the trained language out, but has translations of its sentences."""
    if source not in probed.texts:
        with suppress(ValueError, OSError):  # the task has no such language
            _warn(cfg, read, source, probed, "that are trained on")


def _warn(cfg: DictConfig, read: Read, source: str, probed: Corpus, which: str) -> None:
    language = source if source in probed.texts else probed.languages[0]
    trained = read(language)
    if not isinstance(trained, Corpus):  # whose examples in one language are no translations of those in another
        return
    shared = set(trained.texts[language]) & set(probed.texts[language])
    if shared:
        logger.warning(
            "%d of the %d sentences of `corpus` %s %s (`task.train`, in %s): the scores may be other than those of new "
            "sentences; choose %s.",
            len(shared),
            len(probed.ids),
            "are among those" if language == source else "are translations of those",
            which,
            source,
            another_split(cfg, "corpus.split", ["task.train"]),
        )


def _reader(run: Run, cfg: DictConfig) -> Read | None:
    """Return what reads a training's text again; None where it is not the text of `corpus`, or not by its loader."""
    task: Any = run.config.get("task") or {}
    node: Any = task.get("corpus") or {}
    own: Any = OmegaConf.to_container(cfg.corpus, resolve=True)
    if _place(node) != _place(own):
        return None
    return partial(read_trained, build("corpus", OmegaConf.create(node)), task, run.config["seed"])


def _place(node: Mapping[str, Any]) -> dict[str, Any]:
    """Tell which text a loader reads, however much of it."""
    return {key: value for key, value in node.items() if key != "split" and not isinstance(value, int)}
