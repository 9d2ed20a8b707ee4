"""`babelscope tokens`: writing systems and translations in the token embeddings of checkpoints."""

import json
from collections.abc import Sequence
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from babelscope.analyses.tokens.between_tables import shared_tokens
from babelscope.analyses.tokens.projection import check_layout
from babelscope.analyses.tokens.study import TokenStudy, least_tokens, study_tokens
from babelscope.analyses.tokens.token_rows import TokenRows, token_rows
from babelscope.analyses.tokens.translations import words_in
from babelscope.analyses.tokens.vocabulary import keep_shared
from babelscope.files import write_json, write_text
from babelscope.report.table import read_run, write
from babelscope.report.tokens.page import write_tokens_page
from babelscope.verbs.config.building import begin, build, languages_of
from babelscope.verbs.config.token_conf import check_token_settings
from babelscope.verbs.config.token_sources import (
    Source,
    Words,
    count_in,
    look_up,
    models_of,
    read_dictionaries,
    read_source,
)
from babelscope.verbs.folder.manifest import software
from babelscope.verbs.folder.token_store import study_once, table_folder
from babelscope.verbs.terminal.tokens import busy, print_pairs, print_tables, searching


def main(cfg: DictConfig, folder: Path) -> None:
    """Read the tables, study each and every pair, and write rows, manifests and one page."""
    begin(cfg)
    check_token_settings(cfg)
    models = models_of(cfg)
    probe = _build_probe(cfg)
    compare: Any = build("pairs", cfg.pairs) if cfg.pairs else None
    check_layout(cfg.map)
    several = len(models) > 1
    if several and cfg.counts is not None:
        raise ValueError("Expected `counts` with one model, whose token ids they are, but got several; leave one.")
    text = _read_text(cfg)
    if cfg.shared and not several:
        raise ValueError("Expected `shared` with several models, but got one; add models=[A,B], or leave `shared` out.")
    theirs, ours = read_dictionaries(cfg)
    sources = [read_source(cfg, model) for model in models]
    pairs = list(combinations(sources, 2)) if compare else []
    for a, b in pairs:  # before anything slow
        shared_tokens(a.named, b.named)
    words = [look_up(cfg, source, ours if source.is_lab else theirs) for source in sources]
    counts = [count_in(cfg, source, text) for source in sources]
    studies = [
        _study(cfg, source, own, probe, sources, counts=count)
        for source, own, count in zip(sources, words, counts, strict=True)
    ]
    between = []
    for a, b in pairs:
        with busy(f"Comparing {a.name} and {b.name}"):
            between += compare(a.named, b.named, seed=cfg.seed)
    folders = []
    for source, study in zip(sources, studies, strict=True):
        own = folder / source.name if several else folder
        folders.append(_keep(cfg, own, _describe(cfg, source), study["rows"], source.model))
        write_text(own / "explorer.json", json.dumps(study["explorer"], separators=(",", ":"), ensure_ascii=False))
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


def _read_text(cfg: DictConfig) -> dict[str, Sequence[str]]:
    """Read the text in which tokens are counted, by language; none where no `corpus` is chosen."""
    if not cfg.get("corpus"):
        return {}
    if cfg.counts is not None:
        raise ValueError("Expected `counts` or `corpus` to count tokens by, but got both; leave one.")
    if not cfg.get("languages"):
        raise ValueError(
            "Expected `languages` with `corpus`, in whose text tokens are counted, but got none; add languages=lab, or "
            "+languages.codes=[eng_Latn,deu_Latn,...]."
        )
    return dict(build("corpus", cfg.corpus)(languages_of(cfg)).texts)


def _study(
    cfg: DictConfig, source: Source, words: Words, probe: Any, sources: list[Source], *, counts: list[int] | None
) -> dict[str, Any]:
    """Study one table, unless an earlier command has: rows, and what the page's explorer shows."""
    print(f"{source.name}: {len(source.tokens.ids):,} tokens in use of {len(source.table.weight):,} rows")
    store = table_folder(cfg.cache, source.weights)
    vocabulary = source.vocabulary
    k: Any = OmegaConf.to_container(cfg.k)
    tokens, narrowest = _probed(cfg, source, sources) if probe else (source.tokens, None)
    key = {
        "vocabulary": [vocabulary.labels, vocabulary.texts, vocabulary.pieces],
        "k": k,
        "sample": cfg.sample,
        "counts": counts,
        "dictionaries": {f"{a}-{b}": gold for (a, b), gold in words.gold.items()},
        "words": {word: [list(words.single(word)), list(words.lookup(word))] for word in sorted(words_in(words.gold))},
        "whole_vocabulary": cfg.dictionary.vocabulary,
        "map": cfg.map,
        "seed": cfg.seed,
        "probe": OmegaConf.to_container(cfg.probe, resolve=True) if probe else None,
        "probed": tokens.labels,
        "narrowest": narrowest,
    }

    def study() -> dict[str, Any]:
        found = study_tokens(
            source.tokens,
            vocabulary,
            k=k,
            sample=cfg.sample,
            counts=counts,
            dictionaries=words.gold,
            words=words.single,
            lookup=words.lookup,
            whole_vocabulary=cfg.dictionary.vocabulary,
            layout=cfg.map,
            seed=cfg.seed,
            store=store,
            progress=searching,
        )
        rows = found.rows + (_probe(source.name, probe, tokens, narrowest) if probe else [])
        return {"rows": rows, "explorer": {**found.explorer, "examples": _examples(found)}}

    made, there = study_once(store, key, study)
    if there:
        print(f"{source.name}: finished by an earlier command")
    return made


def _probed(cfg: DictConfig, source: Source, sources: list[Source]) -> tuple[TokenRows, int]:
    """Tokens to probe, and the width of the narrowest table."""
    tokens = source.tokens
    if cfg.shared and len(sources) > 1:
        others = [other.vocabulary for other in sources if other is not source]
        tokens = token_rows(source.table.weight, keep_shared(source.vocabulary, others))
    return tokens, min(other.tokens.table.shape[1] for other in sources)


def _probe(name: str, probe: Any, tokens: TokenRows, narrowest: int | None) -> list[dict[str, Any]]:
    """Probe the scripts, and again at the width of the narrowest table, so that tables of all widths compare."""
    if "minimum" not in probe.keywords:
        least = least_tokens(tokens, probe.keywords.get("folds", 10))
        print(f"{name}: probing the scripts of at least {least} tokens (Wen-Yi & Mimno 2023: probe.minimum=500)")
        probe = partial(probe, minimum=least)
    with busy(f"Probing the scripts of {name}"):
        rows: list[dict[str, Any]] = probe(tokens)
        if narrowest is not None and tokens.table.shape[1] > narrowest and probe.keywords.get("width") is None:
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
        "weights": source.weights,
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
