"""Text that is both trained on and measured, or decided by and measured."""

import logging
from collections.abc import Iterable, Mapping
from itertools import product

from omegaconf import DictConfig, OmegaConf

from babelscope.data.corpora import Corpus
from babelscope.data.splits import SPLITS
from babelscope.data.tasks import TaskCorpus

logger = logging.getLogger(__name__)


def refuse_overlap(cfg: DictConfig, trained: Mapping[str, TaskCorpus], measured: Mapping[str, Corpus]) -> None:
    """Refuse to measure alignment on sentences that are trained on.

    Args:
        cfg: The composed configuration.
        trained: What is trained on, by the key that chose it.
        measured: What alignment is measured on, likewise.

    Raises:
        ValueError: if texts overlap; both keys and another split are named.
    """
    for (by, train), (key, probed) in product(trained.items(), measured.items()):
        for language in train.texts.keys() & probed.texts.keys():
            shared = set(train.texts[language]) & set(probed.texts[language])
            if shared:
                raise ValueError(
                    f"Expected `{key}` to share no sentence with the text that is trained on by `{by}`, but "
                    f"{len(shared)} of {len(probed.ids)} sentences in {language} are in both; choose "
                    f"{another_split(cfg, key, trained)}."
                )


def another_split(cfg: DictConfig, key: str, trained: Iterable[str]) -> str:
    """Suggest what is neither trained on nor the split that was given, where there is such a split."""
    taken = {part for by in trained for part in _parts(cfg, by)}
    given = _parts(cfg, key)
    if not given & taken:  # the same sentence is in several splits
        taken |= given
    free = "+".join(part for part in SPLITS if part not in taken)
    return f"another split, such as {key}={free}" if free else "sentences that are in no other split, or another corpus"


def _parts(cfg: DictConfig, key: str) -> set[str]:
    split = str(OmegaConf.select(cfg, key))
    return set(SPLITS if split == "all" else split.replace(" ", "").split("+"))


def warn_watched(probed: Corpus, watched: Mapping[str, Corpus]) -> None:
    """Warn where a callback decides by sentences that the report measures, which biases the scores."""
    for key, corpus in watched.items():
        shared = max((len(set(texts) & set(corpus.texts.get(code, ()))) for code, texts in probed.texts.items()))
        if shared:
            logger.warning(
                "%d of the %d sentences of `corpus.split` are also in `%s`, which decides by them: the scores may look "
                "better than they are; choose a split of their own for the scores, such as corpus.split=test.",
                shared,
                len(probed.ids),
                key,
            )
