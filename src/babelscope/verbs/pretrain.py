"""`babelscope pretrain`: make a small checkpoint from parallel text."""

from functools import partial
from pathlib import Path

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from babelscope.files import write_text
from babelscope.training.pretraining.pretrain import pretrain
from babelscope.verbs.config.building import begin, languages_of, pretrain_once, read_parallel
from babelscope.verbs.config.signature import check_arguments


def main(cfg: DictConfig, folder: Path) -> None:
    """Read the text, train tokenizer and model, and say where the checkpoint is."""
    begin(cfg)
    if cfg.model.recipe is None:
        raise ValueError(
            "Expected `model.recipe` to say what is pre-trained, but this model has none; choose model=lab_xlmr, "
            "lab_mt5, lab_bloom or lab_llama, and change its recipe by overrides."
        )
    recipe = instantiate(cfg.model.recipe)
    check_arguments("model.recipe.tokenizer", recipe.tokenizer)
    if late := [str(step) for step in recipe.keep if step > recipe.steps]:
        print(f"Not kept, for the last step is {recipe.steps}: {', '.join(late)}")
    target = None if cfg.folder is None else _new(Path(cfg.folder).expanduser())
    corpus = read_parallel(cfg, languages_of(cfg), split="train")
    weights = dict(instantiate(cfg.weights) or {})
    trainer = partial(instantiate, cfg.trainer)
    made = (
        pretrain_once(recipe, corpus, weights, Path(cfg.cache), seed=cfg.seed, trainer=trainer)
        if target is None
        else pretrain(recipe, corpus, target, weights=weights, seed=cfg.seed, trainer=trainer)
    )
    write_text(folder / "run.yaml", OmegaConf.to_yaml(cfg, resolve=True))
    print(f"model.checkpoint={made}")


def _new(folder: Path) -> Path:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"Expected `folder` to be new or empty, but got {folder}; remove it, or choose another.")
    return folder
