"""Pre-training of small multilingual models on parallel text, from nothing to a Hugging Face checkpoint folder."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from transformers import AutoConfig, PreTrainedTokenizerBase, get_linear_schedule_with_warmup

from babelscope.data.corpora import Corpus
from babelscope.data.encoding import pad_id
from babelscope.data.folders import whole_folder
from babelscope.data.objectives import collator_for
from babelscope.models.families import family_of
from babelscope.models.load import auto_class
from babelscope.models.parts import parts_of
from babelscope.training.contrast import collate_pairs, contrast
from babelscope.training.export import save_folder
from babelscope.training.pairs import TranslationPairs

TrainTokenizer = Callable[[Iterable[str]], PreTrainedTokenizerBase]


@dataclass(frozen=True)
class Recipe:
    """How a small checkpoint is made.

    Args:
        config: Hugging Face configuration, with `model_type`; vocabulary and special tokens come from the tokenizer.
        tokenizer: Trains a tokenizer from texts.
        steps: Optimizer steps.
        pairs: Translation pairs per step, for the contrastive term.
        texts: Sentences per step, for the family's own objective, whose output layer is the costly part.
        learning_rate: Peak, after a linear warm-up over a tenth of the steps.
        contrast: Weight of the contrastive term over translations.
        contrast_layers: Layers, in Babelscope's convention, whose pooled states it pulls together.
        temperature: Of the contrastive term.
        token_spread: Standard deviation of the token table at the start; None: the family's own, which for mT5 is 1,
            too far from the origin to be moved within some hundred steps.
        keep: Steps after which a revision `step=N` is kept.
    """

    config: Mapping[str, Any]
    tokenizer: TrainTokenizer
    steps: int = 600
    pairs: int = 32
    texts: int = 24
    learning_rate: float = 2.5e-3
    contrast: float = 2.0
    contrast_layers: Sequence[str] = ("3",)
    temperature: float = 0.1
    token_spread: float | None = None
    keep: Sequence[int] = (0, 50, 100, 200, 400)

    def fingerprint(self, corpus: Corpus, weights: Mapping[str, float], seed: int) -> str:
        """Hash all that the weights depend on, so that a changed recipe is another checkpoint."""
        trainer = getattr(self.tokenizer, "func", self.tokenizer)
        made_by = {"tokenizer": trainer.__name__, **getattr(self.tokenizer, "keywords", {})}
        numbers = {key: value for key, value in vars(self).items() if key != "tokenizer"}
        whole = [numbers, made_by, corpus.fingerprint(), dict(weights), seed]
        return hashlib.sha256(json.dumps(whole, sort_keys=True, default=list).encode()).hexdigest()


class Pretrainer(pl.LightningModule):
    """The family's own objective on some sentences, plus InfoNCE between translations on the states of some layers."""

    def __init__(self, recipe: Recipe, tokenizer: PreTrainedTokenizerBase):
        super().__init__()
        self.recipe = recipe
        options = dict(recipe.config)
        objective = family_of(options["model_type"]).objective
        special = {name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
        if objective == "span":  # mT5's decoder starts from padding
            special["decoder_start_token_id"] = tokenizer.pad_token_id
        config = AutoConfig.for_model(**{**special, **options, "vocab_size": len(tokenizer)})
        self.model = auto_class("lm", config).from_config(config)
        if recipe.token_spread is not None:
            torch.nn.init.normal_(self.model.get_input_embeddings().weight, std=recipe.token_spread)
        self.objective, self.padding = collator_for(objective, tokenizer), pad_id(tokenizer)

    def collate(self, sides: tuple[list[list[int]], list[list[int]]]) -> dict[str, Any]:
        """Make a batch of the pairs as they are, and one of the objective from the first sentences."""
        texts = [{"input_ids": ids} for ids in sides[0][: self.recipe.texts]]
        return {"pairs": collate_pairs(sides, self.padding), "texts": self.objective(texts)}

    def training_step(self, batch: dict[str, Any], batch_idx: int) -> Tensor:
        """Return the objective's loss plus the weighted contrast."""
        objective: Tensor = self.model(**batch["texts"]).loss
        layers, temperature = self.recipe.contrast_layers, self.recipe.temperature
        term = contrast(parts_of(self.model), batch["pairs"], layers, temperature=temperature)
        self.log_dict({"objective": objective, "contrast": term}, prog_bar=True)
        return objective + self.recipe.contrast * term

    def on_fit_start(self) -> None:
        """Train with dropout."""
        self.model.train()

    def configure_optimizers(self) -> Any:
        """AdamW with a linear schedule."""
        steps = self.recipe.steps
        optimizer = torch.optim.AdamW(self.parameters(), lr=self.recipe.learning_rate)
        schedule = get_linear_schedule_with_warmup(optimizer, steps // 10, steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class KeepRevisions(pl.Callback):
    """Save the model as `FOLDER/step=N` after the given steps."""

    def __init__(self, folder: Path, tokenizer: Any, steps: Sequence[int]):
        self.folder, self.tokenizer, self.steps = folder, tokenizer, set(steps)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Keep the random model, where step 0 is wanted."""
        self._keep(pl_module, 0)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *args: Any) -> None:
        """Keep the model of this step."""
        self._keep(pl_module, trainer.global_step)

    def _keep(self, pl_module: pl.LightningModule, step: int) -> None:
        if step in self.steps:
            save_folder(pl_module.model, self.tokenizer, self.folder / f"step={step}")


def pretrain(
    recipe: Recipe,
    corpus: Corpus,
    folder: Path,
    *,
    weights: Mapping[str, float] | None = None,
    seed: int = 0,
    trainer: Callable[..., pl.Trainer] = pl.Trainer,
) -> Path:
    """Train a tokenizer and a model, and save them as a checkpoint folder with revisions.

    Args:
        recipe: What is trained, and how.
        corpus: Parallel sentences.
        folder: Where the checkpoint goes; it appears under this name only when it is whole.
        weights: How often a language is drawn, relative to others; 1 where none is given.
        seed: Of weights, order and masks.
        trainer: Makes the Lightning Trainer, given what is set here.
    """
    pl.seed_everything(seed, workers=True, verbose=False)
    chances = {language: (weights or {}).get(language, 1.0) for language in corpus.languages}
    with whole_folder(folder) as temporary:
        tokenizer = recipe.tokenizer(text for texts in corpus.texts.values() for text in texts)
        module = Pretrainer(recipe, tokenizer)
        pairs = TranslationPairs(corpus, tokenizer, chances, count=recipe.pairs, steps=recipe.steps, seed=seed)
        loader = DataLoader(pairs, batch_size=None, collate_fn=module.collate)  # type: ignore[arg-type]
        trainer(max_epochs=1, callbacks=[KeepRevisions(temporary, tokenizer, recipe.keep)]).fit(module, loader)
        module.model.eval().save_pretrained(temporary)
        tokenizer.save_pretrained(temporary)
    return folder
