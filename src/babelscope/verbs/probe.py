"""`babelscope probe`: score every layer of one checkpoint."""

from pathlib import Path

import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from babelscope.metrics.score import score
from babelscope.models.fingerprint import weights_fingerprint
from babelscope.report.page import write_page
from babelscope.report.table import read_run, write
from babelscope.states import embed_once, prepare
from babelscope.verbs.building import begin, build, build_corpus, build_metrics, build_model, keep
from babelscope.verbs.console import print_layers, progress
from babelscope.verbs.manifest import describe


def main(cfg: DictConfig, folder: Path) -> None:
    """Embed the corpus, or find its states in the store; score every layer; write rows, manifest and page."""
    begin(cfg)
    metrics, pool, device = build_metrics(cfg), build("pool", cfg.pool), _device(cfg.device)
    corpus = build_corpus(cfg, list(cfg.languages.codes), sentences=cfg.sentences)
    loaded = build_model(cfg, task="base")
    loaded.model.to(device)
    prepared = prepare(corpus, loaded.tokenizer, max_tokens=cfg.max_tokens)
    weights = weights_fingerprint(loaded.model, loaded.parts.family)
    pooling = OmegaConf.to_container(cfg.pool, resolve=True)
    key = {"weights": weights, "revision": cfg.model.revision, "dtype": cfg.model.dtype, "pool": pooling}
    pooled = embed_once(Path(cfg.store).expanduser(), key, loaded.parts, prepared, pool, progress=progress)
    rows = list(score(pooled.samples(), metrics, run=folder.name, step=0, epoch=0))
    manifest = describe(
        loaded,
        corpus,
        weights=weights,
        tokens=prepared.tokens,
        pool=HydraConfig.get().runtime.choices["pool"],
        setting={"freeze": "", "adapter": ""},
    )
    keep(cfg, folder, {**manifest, "revision": cfg.model.revision})
    write(folder, "layers-00000000", rows)
    run = read_run(folder)
    page = write_page([run], folder / "report.html")
    # the chosen metrics first, then as many of their companions as a terminal holds
    print_layers(run, list(dict.fromkeys([*metrics, *(row["metric"] for row in rows if not row["language"])]))[:7])
    print(f"Wrote {page}")


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError, TypeError) as error:  # which of them depends on how torch was built
        raise ValueError(
            f"Expected `device` to be one that torch has here, but got {name!r} ({str(error).splitlines()[0][:120]}); "
            "write device=cpu, or auto."
        ) from error
