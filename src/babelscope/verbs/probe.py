"""`babelscope probe`: score every layer of one checkpoint."""

from pathlib import Path

import torch
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from babelscope.metrics.score import score
from babelscope.models.fingerprint import weights_fingerprint
from babelscope.report.files import write_json
from babelscope.report.page import write_page
from babelscope.report.table import read_run, write
from babelscope.states import embed_once, prepare
from babelscope.verbs.building import begin, build_corpus, build_metrics, build_model
from babelscope.verbs.console import print_layers, progress
from babelscope.verbs.manifest import describe


def main(cfg: DictConfig, folder: Path) -> None:
    """Embed the corpus, or find its states in the store; score every layer; write rows, manifest and page."""
    begin(cfg, folder)
    metrics, pool = build_metrics(cfg), instantiate(cfg.pool)
    corpus = build_corpus(cfg, list(cfg.languages.codes), sentences=cfg.sentences)
    loaded = build_model(cfg, task="base")
    loaded.model.to(_device(cfg.device))
    prepared = prepare(corpus, loaded.tokenizer, max_tokens=cfg.max_tokens)
    weights = weights_fingerprint(loaded.model)
    pooling = OmegaConf.to_container(cfg.pool, resolve=True)
    key = {"weights": weights, "revision": cfg.model.revision, "dtype": cfg.model.dtype, "pool": pooling}
    pooled = embed_once(Path(cfg.store), key, loaded.parts, prepared, pool, progress=progress)
    rows = list(score(pooled.samples(), metrics, run=folder.name, step=0, epoch=0))
    write(folder, "layers-00000000", rows)
    choices = HydraConfig.get().runtime.choices
    manifest = describe(
        loaded,
        corpus,
        weights=weights,
        tokens=prepared.tokens,
        pool=choices["pool"],
        setting={"freeze": "", "adapter": ""},
    )
    write_json(folder, "manifest", {**manifest, "revision": cfg.model.revision})
    run = read_run(folder)
    print_layers(run, [row["metric"] for row in {r["metric"]: r for r in rows if not r["language"]}.values()][:8])
    print(f"Wrote {write_page([run], folder / 'report.html')}")


def _device(name: str) -> str:
    return ("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name
