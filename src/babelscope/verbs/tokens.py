"""`babelscope tokens`: what the token tables of checkpoints know of writing systems and translations."""

import json
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from babelscope.analyses.between_tables import shared_tokens
from babelscope.analyses.token_rows import token_rows
from babelscope.analyses.token_study import TokenStudy, least_tokens, study_tokens
from babelscope.analyses.token_vocabulary import keep_shared
from babelscope.report.table import read_run, write, write_json, write_text
from babelscope.report.tokens_page import write_tokens_page
from babelscope.verbs.building import begin, build
from babelscope.verbs.manifest import software
from babelscope.verbs.token_console import busy, print_pairs, print_tables, searching
from babelscope.verbs.token_sources import (
    Source,
    fingerprint,
    mean_of_pieces,
    models_of,
    read_counts,
    read_dictionaries,
    read_source,
)


def main(cfg: DictConfig, folder: Path) -> None:
    """Read the tables, study each and every pair, and write rows, manifests and one page."""
    begin(cfg)
    models = models_of(cfg)
    probe = _build_probe(cfg)
    compare: Any = build("pairs", cfg.pairs) if cfg.pairs else None
    several = len(models) > 1
    if several and cfg.counts is not None:
        raise ValueError("Expected `counts` with one model, whose token ids they are, but got several; leave one.")
    sources = [read_source(cfg, model) for model in models]
    pairs = list(combinations(sources, 2)) if compare else []
    for a, b in pairs:  # before anything slow
        shared_tokens(a.named, b.named)
    studies = []
    for source in sources:
        print(f"{source.name}: {len(source.tokens.ids):,} tokens in use of {len(source.table.weight):,} rows")
        study = _study(cfg, source)
        rows = study.rows + (_probe(cfg, probe, source, sources) if probe else [])
        studies.append((source, study, rows))
    between = []
    for a, b in pairs:
        with busy(f"Comparing {a.name} and {b.name}"):
            between += compare(a.named, b.named, seed=cfg.seed)
    folders = []
    for source, study, rows in studies:
        own = folder / source.name if several else folder
        folders.append(_keep(cfg, own, _describe(cfg, source), rows, source.model))
        shown = {**study.explorer, "examples": _examples(study)}
        write_text(own / "explorer.json", json.dumps(shown, separators=(",", ":"), ensure_ascii=False))
    if between:
        names = [source.name for source in sources]
        folders.append(_keep(cfg, folder / "pairs", {"token_tables": names, **software()}, between, None))
    runs = [read_run(own) for own in folders]
    print_tables(runs[: len(sources)])
    if between:
        print_pairs(runs[-1])
    print(f"Wrote {write_tokens_page(runs, folder / 'report.html')}")


def _build_probe(cfg: DictConfig) -> Any:
    """Build the script probe; the least number of tokens may be left to the size of the vocabulary."""
    if not cfg.probe:
        return None
    given = {key: value for key, value in cfg.probe.items() if key != "minimum" or value is not None}
    return build("probe", OmegaConf.create(given))


def _study(cfg: DictConfig, source: Source) -> TokenStudy:
    dictionaries = read_dictionaries(cfg, lab=source.is_lab)
    k: Any = OmegaConf.to_container(cfg.k)
    return study_tokens(
        source.tokens,
        source.vocabulary,
        k=k,
        sample=cfg.sample,
        counts=read_counts(cfg.counts, len(source.vocabulary.labels)),
        dictionaries=dictionaries,
        lookup=mean_of_pieces(source) if cfg.dictionary.pieces else None,
        whole_vocabulary=cfg.dictionary.vocabulary,
        layout=cfg.map,
        seed=cfg.seed,
        progress=searching,
    )


def _probe(cfg: DictConfig, probe: Any, source: Source, sources: list[Source]) -> list[dict[str, Any]]:
    """Probe the scripts, and again at the width of the narrowest table, so that tables of all widths compare."""
    tokens = source.tokens
    if cfg.shared and len(sources) > 1:
        others = [other.vocabulary for other in sources if other is not source]
        tokens = token_rows(source.table.weight, keep_shared(source.vocabulary, others))
    if "minimum" not in probe.keywords:
        least = least_tokens(tokens, probe.keywords.get("folds", 10))
        print(f"{source.name}: probing the scripts of at least {least} tokens (S1's: probe.minimum=500)")
        probe = partial(probe, minimum=least)
    narrowest = min(other.tokens.table.shape[1] for other in sources)
    with busy(f"Probing the scripts of {source.name}"):
        rows: list[dict[str, Any]] = probe(tokens)
        if tokens.table.shape[1] > narrowest and probe.keywords.get("width") is None:
            rows += probe(tokens, width=narrowest)
    return rows


def _keep(cfg: DictConfig, folder: Path, manifest: dict[str, Any], rows: Any, model: DictConfig | None) -> Path:
    """Write one run folder; its configuration says which of several models it is of."""
    whole: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    own = whole if model is None else {**whole, "model": OmegaConf.to_container(model, resolve=True)}
    write_text(folder / "run.yaml", OmegaConf.to_yaml(OmegaConf.create(own)))
    write_json(folder, "manifest", manifest)
    write(folder, "tokens", [{"run": folder.name, "step": 0, "epoch": 0, **row} for row in rows])
    return folder


def _describe(cfg: DictConfig, source: Source) -> dict[str, Any]:
    table, changes = source.table, source.changes
    return {
        "model": source.checkpoint,
        "token_table": source.name,
        "model_type": table.model_type,
        "revision": source.model.revision,
        "weights": fingerprint(table),
        "tensor": {"name": table.name, "rows": len(table.weight), "width": table.weight.shape[1], "tied": table.tied},
        "dtype": str(table.weight.dtype).removeprefix("torch."),
        "labels": cfg.labels,
        "label_changes": sum(changes.values()),
        "label_changes_most": [f"{old} → {new}: {count}" for (old, new), count in list(changes.items())[:12]],
        "tokens_zero": list(source.tokens.zero[:100]),
        "tokens_padding": source.tokens.padding,
        **software(),
    }


def _examples(study: TokenStudy) -> list[dict[str, Any]]:
    """Take examples apart for the page, a few of every pair."""
    return [
        {
            "pair": [example.source, example.target],
            "word": example.word,
            "gold": list(example.gold),
            "near": [[word, round(cosine, 3), hit] for word, cosine, hit in example.neighbours[:5]],
        }
        for example in study.examples
    ]
