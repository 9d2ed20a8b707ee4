"""What `babelscope tokens` reads: models by name, their tables and vocabularies, dictionaries and counts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain

from omegaconf import DictConfig, OmegaConf
from torch import uint8

from babelscope.analyses.tokens.between_tables import NamedTable
from babelscope.analyses.tokens.token_rows import TokenRows, token_rows
from babelscope.analyses.tokens.translations import Dictionaries, Lookup, covers, single_tokens, words_in
from babelscope.analyses.tokens.vocabulary import TokenVocabulary, label_tokens
from babelscope.data.dictionaries import read_dictionary
from babelscope.data.lab import LANGUAGES, dictionary
from babelscope.data.pieces import decode_pieces
from babelscope.data.scripts import count_changes
from babelscope.data.token_counts import count_tokens, read_counts
from babelscope.models.table import TokenTable, read_table
from babelscope.verbs.config.building import checkpoint_of, read_family
from babelscope.verbs.config.conf import name_of
from babelscope.verbs.config.named_models import choose_model, model_names
from babelscope.verbs.config.signature import check_model
from babelscope.verbs.errors import nearest


@dataclass(frozen=True)
class Source:
    """One model's table, vocabulary and tokens in use."""

    name: str
    model: DictConfig
    checkpoint: str
    table: TokenTable
    weights: str
    """Hash of the table."""
    vocabulary: TokenVocabulary
    tokens: TokenRows
    changes: dict[tuple[str, str], int]
    """Tokens that the labels of Wen-Yi & Mimno 2023 and ours differ on."""

    @property
    def named(self) -> NamedTable:
        """What a comparison of two tables takes."""
        return NamedTable(self.name, self.tokens, self.vocabulary.pieces)

    @property
    def is_lab(self) -> bool:
        """Whether it was made here, so that the lab's dictionary is its own."""
        return self.model.checkpoint is None


@dataclass(frozen=True)
class Words:
    """The words of dictionaries as one vocabulary has them."""

    gold: Dictionaries
    single: Lookup
    """The token of a word that is one."""
    lookup: Lookup
    """Tokens of a word whose vector is compared: that one, or all its pieces."""


def models_of(cfg: DictConfig) -> list[DictConfig]:
    """Compose every model of `models`, or take `model`.

    Raises:
        ValueError: if a name is unknown or two models have one name.
    """
    if cfg.models is None:
        return [cfg.model]
    if not OmegaConf.is_list(cfg.models) or not cfg.models:
        raise ValueError(f"Expected `models` to be a list of models, but got {cfg.models!r}; write models=[A,B].")
    nodes = [_compose(str(model)) for model in cfg.models]
    for model, node in zip(cfg.models, nodes, strict=True):
        check_model(node, f"models.{model}")
    names = [node.name for node in nodes]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"Expected `models` to have names of their own, but got {twice[0]!r} twice; leave one out.")
    return nodes


def read_source(cfg: DictConfig, model: DictConfig) -> Source:
    """Read one model's table and label its tokens; a lab model that is not there yet is made first."""
    checkpoint = checkpoint_of(OmegaConf.create({"model": model, "cache": cfg.cache}))
    table = read_table(
        checkpoint,
        revision=model.revision,
        trust_remote_code=model.trust_remote_code,
        family=read_family(model.family),
        tokenizer=model.tokenizer,
    )
    pieces = decode_pieces(table.tokenizer)
    vocabulary = label_tokens(pieces, legacy=cfg.labels == "legacy", rows=len(table.weight))
    tokens = token_rows(table.weight, vocabulary.labels)
    return Source(model.name, model, checkpoint, table, _fingerprint(table), vocabulary, tokens, count_changes(pieces))


def read_dictionaries(cfg: DictConfig) -> tuple[Dictionaries, Dictionaries]:
    """Read the gold translations by pair of languages, for the user's models and for the lab's: files, or the lab's.

    Raises:
        ValueError: if a pair is not named as SOURCE-TARGET, or a file is not in its layout.
        FileNotFoundError: if a file is missing.
    """
    settings = cfg.dictionary
    found: dict[tuple[str, str], dict[str, set[str]]] = {}
    for pair, path in (settings.files or {}).items():
        source, _, target = str(pair).partition("-")
        if not source or not target:
            raise ValueError(f"Expected the keys of `dictionary.files` as SOURCE-TARGET, but got {pair!r}; rename it.")
        found[source, target] = read_dictionary(path, layout=settings.layout)
    if settings.lab is False or (settings.lab is None and found):
        return found, found
    ours = found | {(a, b): dictionary(a, b) for a in LANGUAGES for b in LANGUAGES if a != b}
    return ours if settings.lab else found, ours


def look_up(cfg: DictConfig, source: Source, dictionaries: Dictionaries) -> Words:
    """Find the tokens of the words of dictionaries in one vocabulary.

    Raises:
        ValueError: if no word and translation of it are both in it.
    """
    single = single_tokens(source.table.tokenizer, source.vocabulary.pieces, words_in(dictionaries))
    lookup = mean_of_pieces(source) if cfg.dictionary.pieces else single
    if dictionaries and not covers(source.tokens, dictionaries, lookup):
        more = "" if cfg.dictionary.pieces else "write dictionary.pieces=true for words of several tokens, too, or "
        raise ValueError(
            f"Expected `dictionary` to have covered pairs, but no word of {len(dictionaries)} language pairs and none "
            f"of its translations are both in the vocabulary of {source.name}; {more}give other dictionary.files."
        )
    return Words(dictionaries, single, lookup)


def mean_of_pieces(source: Source) -> Lookup:
    """Look up a word by the pieces that its tokenizer makes of it."""
    encode = source.table.tokenizer.encode
    used = set(source.tokens.ids.tolist())
    bare = {i for i, text in enumerate(source.vocabulary.texts) if not text}

    def look(word: str) -> Sequence[int]:
        ids = [i for i in encode(word, add_special_tokens=False) if i not in bare]
        return ids if used.issuperset(ids) else ()

    return look


def count_in(cfg: DictConfig, source: Source, text: Mapping[str, Sequence[str]]) -> list[int] | None:
    """Find the frequency of every token of one vocabulary: in the file of `counts`, or in text by language, if any.

    Raises:
        ValueError: if the file has a line that is not one, or an id that is not of the vocabulary.
    """
    size = len(source.vocabulary.labels)
    if cfg.counts is not None:
        return read_counts(cfg.counts, size)
    return count_tokens([*chain(*text.values())], source.table.tokenizer, size) if text else None


def _fingerprint(table: TokenTable) -> str:
    """Hash a table as stored, in parts."""
    digest = sha256(f"{table.weight.dtype} {tuple(table.weight.shape)}".encode())
    for part in table.weight.split(4096):
        digest.update(part.contiguous().view(uint8).numpy())
    return digest.hexdigest()


def _compose(model: str) -> DictConfig:
    """Compose a file of conf/model by Hydra, or take a Hub id or a folder with the defaults."""
    options, default = model_names(), choose_model("default")
    if model in options:
        plain = {**default, **choose_model(model)}
    elif "/" in model:
        plain = {**default, "checkpoint": model}
    else:
        raise ValueError(
            f"Expected `models` to be names of conf/model, Hub ids or folders, but got {model!r}; "
            f"nearest: {nearest(model, options)}."
        )
    if plain["name"] == default["name"]:  # the choice that it asks Hydra for is that of `model`
        plain["name"] = name_of(plain["checkpoint"], model)
    return OmegaConf.create(plain)
