"""Pre-training of small multilingual models on parallel text, from nothing to a Hugging Face checkpoint folder."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from transformers import PreTrainedTokenizerBase, get_linear_schedule_with_warmup

from babelscope.data.corpora import Corpus
from babelscope.data.encoding import pad_id
from babelscope.data.objectives import collator_for
from babelscope.files import whole_folder
from babelscope.models.families import family_of
from babelscope.models.parts import parts_of
from babelscope.training.contrast import collate_pairs, contrast
from babelscope.training.export import save_folder
from babelscope.training.pairs import TranslationPairs
from babelscope.training.pretraining.new_model import new_model, refuse_short, refuse_unfit
from babelscope.training.pretraining.new_tokenizer import new_tokenizer
from babelscope.training.pretraining.recipe import Recipe


class Pretrainer(pl.LightningModule):
    """The family's own objective on single sentences, plus InfoNCE between translations in the chosen layers."""

    def __init__(self, recipe: Recipe, tokenizer: PreTrainedTokenizerBase):
        super().__init__()
        self.recipe = recipe
        special = {name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
        self.model = new_model(recipe.config, size=len(tokenizer), special=special)
        if recipe.token_spread is not None:
            torch.nn.init.normal_(parts_of(self.model).tokens.weight, std=recipe.token_spread)  # type: ignore[arg-type]
        objective = family_of(recipe.config["model_type"]).objective
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
        loss = objective + self.recipe.contrast * term
        if not loss.isfinite():
            raise _diverged(self.recipe, f"a loss of {loss.item()} at step {self.trainer.global_step + 1}")
        return loss

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

    Raises:
        ValueError: if text and model do not fit, or the training diverges.
    """
    refuse_unfit(recipe.config, recipe.contrast_layers)
    pl.seed_everything(seed, workers=True, verbose=False)
    chances = {language: (weights or {}).get(language, 1.0) for language in corpus.languages}
    with whole_folder(folder) as temporary:
        tokenizer = new_tokenizer(recipe.tokenizer, [text for texts in corpus.texts.values() for text in texts])
        module = Pretrainer(recipe, tokenizer)
        pairs = TranslationPairs(corpus, tokenizer, chances, count=recipe.pairs, steps=recipe.steps, seed=seed)
        refuse_short(module.model, max(len(ids) for texts in pairs.ids.values() for ids in texts))
        loader = DataLoader(pairs, batch_size=None, collate_fn=module.collate)  # type: ignore[arg-type]
        trainer(max_epochs=1, callbacks=[KeepRevisions(temporary, tokenizer, recipe.keep)]).fit(module, loader)
        for name, weight in module.model.named_parameters():
            if not weight.isfinite().all():
                raise _diverged(recipe, f"NaN or infinite values in {name} at the end")
        module.model.eval().save_pretrained(temporary)
        tokenizer.save_pretrained(temporary)
    return folder


def _diverged(recipe: Recipe, value: str) -> ValueError:
    return ValueError(
        f"Expected `model.recipe` to keep loss and weights finite, but got {value}; lower its learning_rate "
        f"({recipe.learning_rate}), contrast ({recipe.contrast}) or token_spread ({recipe.token_spread or 'null'}), or "
        f"raise its temperature ({recipe.temperature})."
    )
