"""`babelscope pretrain`: make a small checkpoint from parallel text."""

from functools import partial
from pathlib import Path

from hydra.utils import instantiate
from omegaconf import DictConfig

from babelscope.training.pretraining import pretrain
from babelscope.verbs.building import begin, pretrain_once


def main(cfg: DictConfig, folder: Path) -> None:
    """Read the text, train tokenizer and model, and say where the checkpoint is."""
    begin(cfg, folder)
    if cfg.model.recipe is None:
        raise ValueError(
            "Expected `model.recipe` to say what is pre-trained, but this model has none; choose model=lab_xlmr, "
            "lab_mt5, lab_bloom or lab_llama, and change its recipe by overrides."
        )
    recipe = instantiate(cfg.model.recipe)
    corpus = instantiate(cfg.corpus)(list(cfg.languages.codes), split="train")
    weights = dict(instantiate(cfg.weights) or {})
    trainer = partial(instantiate, cfg.trainer)
    made = (
        pretrain_once(recipe, corpus, weights, Path(cfg.cache), seed=cfg.seed, trainer=trainer)
        if cfg.folder is None
        else pretrain(recipe, corpus, Path(cfg.folder), weights=weights, seed=cfg.seed, trainer=trainer)
    )
    print(f"model.checkpoint={made}")
