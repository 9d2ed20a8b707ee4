"""The command `babelscope VERB [overrides]`: finds the verb, starts Hydra, turns a user's error into one line."""

import hashlib
import importlib
import json
import netrc
import os
import sys
import traceback
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

VERBS = {
    "train": ("fine-tune on one language, watching every layer", "model=lab_xlmr task.language=eng_Latn freeze=early"),
    "probe": ("score every layer of a checkpoint", "model=lab_bloom metrics=[ilo,separability]"),
    "pretrain": ("make a small checkpoint from parallel text", "model=lab_xlmr"),
    "report": ("write one page over finished runs", "runs=outputs"),
}


def conf_folder() -> Path:
    """Where the YAML files are: inside an installed wheel, or at the top of a checkout."""
    inside = Path(__file__).parent / "conf"
    return inside if inside.is_dir() else Path(__file__).parents[2] / "conf"


def main() -> None:
    """Run one verb; exit 0 when done, 2 for what a user can mend, 1 for what only we can."""
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_overview())
        return
    # DDP starts its children with the parent's arguments, which by then name the verb as Hydra does
    verb = arguments[1] if arguments[0] == "--config-name" and len(arguments) > 1 else arguments[0]
    if verb not in VERBS:
        _fail(
            f"Expected a verb, one of {', '.join(VERBS)}, but got {verb!r}; try: babelscope {next(iter(VERBS))} --help"
        )
    if arguments[0] != "--config-name":
        sys.argv = [sys.argv[0], "--config-name", verb, *arguments[1:]]
    wants_traceback = os.environ.get("HYDRA_FULL_ERROR") == "1"
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra hands errors on to us instead of printing them
    _register_resolvers()
    try:
        hydra.main(version_base="1.3", config_path=str(conf_folder()), config_name=verb)(_run)()
    except (ValueError, OSError, HydraException, OmegaConfBaseException) as error:
        if wants_traceback:
            traceback.print_exc()
        _fail(_one_line(error))


def _run(cfg: DictConfig) -> Any:
    """Call the verb of this job; a run folder in which nothing came to be is not left behind."""
    verb = HydraConfig.get().job.name
    folder = Path(HydraConfig.get().runtime.output_dir)
    try:
        return importlib.import_module(f"babelscope.verbs.{verb}").main(cfg, folder)
    except BaseException:
        if not any((folder / kept).exists() for kept in ("results", "checkpoints", "model")):
            for name in ("run.yaml", "manifest.json", f"{verb}.log"):
                (folder / name).unlink(missing_ok=True)
            _remove_empty(folder)
        raise


def _overview() -> str:
    width = max(map(len, VERBS))
    lines = [f"  babelscope {verb:<{width}} {example}\n      {what}" for verb, (what, example) in VERBS.items()]
    return "\n".join(
        [
            "Babelscope: see how a multilingual model's languages meet, layer by layer.\n",
            *lines,
            "\nbabelscope VERB --help lists what can be set; babelscope VERB --cfg job shows it composed;",
            "-m sweeps over comma-separated values; --config-dir adds a folder of your own YAML files.",
        ]
    )


def _register_resolvers() -> None:
    """Give the configuration its functions."""
    OmegaConf.register_new_resolver("absolute", lambda path: str(Path(path).absolute()), replace=True)
    OmegaConf.register_new_resolver("name_of", _name_of, replace=True)
    OmegaConf.register_new_resolver("fingerprint", _fingerprint, replace=True)
    OmegaConf.register_new_resolver("no_wandb_account", _no_wandb_account, replace=True)


def _name_of(checkpoint: str | None, choice: str) -> str:
    parts = Path(checkpoint).parts if checkpoint else (choice,)
    return parts[-2] if parts[-1] == "model" and len(parts) > 1 else parts[-1]


def _no_wandb_account() -> bool:
    try:
        hosts = netrc.netrc().hosts
    except (OSError, netrc.NetrcParseError):
        hosts = {}
    return "WANDB_API_KEY" not in os.environ and not any("wandb" in host for host in hosts)


def _fingerprint(*, _root_: DictConfig) -> str:
    """Hash the whole configuration, so that the same command means the same folder and a changed one another."""
    whole: Any = OmegaConf.to_container(_root_)
    kept = {key: value for key, value in whole.items() if key not in ("hydra", "output")}
    return hashlib.sha256(json.dumps(kept, sort_keys=True, default=str).encode()).hexdigest()[:8]


def _one_line(error: BaseException) -> str:
    """Put the message that a user can act on into one line: the cause inside Hydra's wrapping, if there is one."""
    where = ""
    while error.__cause__ is not None and isinstance(error, HydraException | OmegaConfBaseException):
        key = [line for line in str(error).splitlines() if line.strip().startswith("full_key:")]
        where = key[0].split(":", 1)[1].strip() + ": " if key else where
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    kept = [line for line in lines if not line.startswith(("full_key:", "object_type=", "reference_type="))]
    return where + (" ".join(kept) or type(error).__name__)


def _remove_empty(folder: Path) -> None:
    """Remove a folder that holds nothing, and those above it, as far as they hold nothing either."""
    while folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def _fail(line: str) -> None:
    print(f"babelscope: {line}", file=sys.stderr)
    raise SystemExit(2)
