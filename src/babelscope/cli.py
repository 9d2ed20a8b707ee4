"""The command `babelscope VERB [overrides]`: finds the verb, starts Hydra, turns a user's error into one line."""

import gc
import importlib
import os
import re
import shutil
import sys
import traceback
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path
from types import ModuleType

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import env_override
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from babelscope.sweeps.complaints import PREFIX
from babelscope.sweeps.pool import FULL_ERROR, LOG, NAME
from babelscope.verbs.config.conf import conf_folder, register_resolvers
from babelscope.verbs.config.help import describe_verb
from babelscope.verbs.errors import is_users, nearest, one_line
from babelscope.verbs.folder.kept import RefusedError
from babelscope.verbs.jobs.record import forget_single, recorded
from babelscope.verbs.jobs.single import refuse_forgotten_sweep

VERBS = {
    "train": ("fine-tune on one language, watching every layer", "model=lab_xlmr task.language=eng_Latn freeze=early"),
    "probe": ("score every layer of a checkpoint", "model=lab_bloom metrics=[ilo,separability]"),
    "tokens": ("what the token table knows of scripts and translations", "models=[lab_xlmr,lab_mt5]"),
    "neurons": ("find, compare and ablate language-specific FFN neurons", "model=lab_bloom"),
    "evaluate": ("downstream tasks by EleutherAI's harness, language by language", "model=lab_bloom harness=xcopa"),
    "pretrain": ("make a small checkpoint from parallel text", "model=lab_xlmr"),
    "report": ("write one page over finished runs", "runs=outputs"),
    "runs": ("show the status of sweep jobs; --retry failed reruns failed and interrupted ones", "outputs --follow"),
    "sync": ("upload the offline wandb runs of sweeps, each of them once", "outputs"),
}
FLAGS = ("-m", "--multirun", "-r", "--run", "-h", "--help", "--hydra-help", "--version", "--resolve")
FLAGS_WITH_VALUE = ("-c", "--cfg", "-p", "--package", "-cd", "--config-dir", "-i", "--info")
NO_NAME = r"null|true|false|nan|[+-]?inf|\d|[1-9]\d+|\d*\.\d+|\d+\."
"""What Hydra reads as something else than the name of a choice."""
LISTS = ("metrics", "callbacks", "logger", "experiment")
"""Groups of which several may be chosen."""
KEPT = ("results", "checkpoints", "model", "regions", "unfinished")
"""What makes a run folder worth keeping when its job fails."""


def main() -> None:
    """Run one verb; exit 0 when done, 2 for what a user can mend, 1 for what only we can."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # what a terminal or log cannot show must not end hours of training
            stream.reconfigure(errors="replace")
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_overview())
        return
    # DDP starts its children with the parent's arguments, which by then name the verb as Hydra does
    verb, *rest = arguments[1:] if arguments[0] == "--config-name" and len(arguments) > 1 else arguments
    jobs = Jobs(verb)
    try:
        if verb not in VERBS:
            raise ValueError(
                f"Expected a verb first, one of {', '.join(VERBS)}, but got {verb!r}; try: babelscope "
                f"{nearest(verb, VERBS).split(', ')[0]} --help"
            )
        rest = _of_folder(rest) if verb in ("runs", "sync") else rest
        sys.argv = [sys.argv[0], "--config-name", verb, *_in_order(rest)]
        register_resolvers(jobs.new)
        OmegaConf.register_new_resolver("verb_help", describe_verb, replace=True)
        # Hydra hands errors on to us instead of printing them; processes of jobs learn what the user had chosen
        with env_override({"HYDRA_FULL_ERROR": "1", FULL_ERROR: jobs.full_error}):
            hydra.main(version_base="1.3", config_path=str(conf_folder()), config_name=verb)(jobs.run)()
    except KeyboardInterrupt:
        if NAME not in os.environ or LOG in os.environ:  # the command of a sweep says so beside its job
            print(f"{PREFIX}interrupted", file=sys.stderr)
        raise SystemExit(130) from None
    except Exception as error:
        jobs.tell(_name_file(error) if isinstance(error, UnicodeDecodeError) else error)
    if jobs.failed:
        raise SystemExit(2 if all(map(is_users, jobs.failed)) else 1)


class Jobs:
    """The jobs of one command: one, or those of a sweep, where a job that fails says so and the next one begins."""

    def __init__(self, verb: str):
        self.verb = verb
        self.new: set[Path] = set()
        """Folders that were not there before the command."""
        self.failed: list[BaseException] = []
        self.full_error = os.environ.get(FULL_ERROR, os.environ.get("HYDRA_FULL_ERROR", "0"))

    def run(self, cfg: DictConfig) -> None:
        """Call the verb, unless its job is done; a run folder in which nothing came to be is not left behind."""
        settings = HydraConfig.get()
        folder = Path(settings.runtime.output_dir)
        try:
            refuse_forgotten_sweep(settings)
            with env_override({"HYDRA_FULL_ERROR": self.full_error}), recorded(self.verb, cfg, folder) as is_done:
                if is_done:
                    print(f"Finished already: {folder}; delete it to run it again", flush=True)
                else:
                    _import(f"babelscope.verbs.{self.verb}").main(cfg, folder)
        except BaseException as error:
            if not isinstance(error, RefusedError):
                self._clear(folder)
            if not isinstance(error, Exception):
                raise
            sweeps = settings.mode == RunMode.MULTIRUN
            self.tell(error, " ".join(settings.overrides.task) if sweeps else os.environ.get(NAME, ""))

    def tell(self, error: Exception, job: str = "") -> None:
        """Say what went wrong: one line for what a user can mend, a traceback for the rest."""
        self.failed.append(error)
        if self.full_error == "1" or not is_users(error):
            traceback.print_exception(error)
        line = one_line(error) if is_users(error) else f"unexpected {type(error).__name__}; please report the above"
        print(f"{PREFIX}{f'[{job}] ' if job else ''}{line}", file=sys.stderr, flush=True)

    def _clear(self, folder: Path) -> None:
        if folder not in self.new or any(file.is_file() for kept in KEPT for file in (folder / kept).rglob("*")):
            return
        shutil.rmtree(folder, ignore_errors=True)
        forget_single(folder)
        for parent in folder.parents:
            if parent not in self.new or not parent.is_dir() or any(parent.iterdir()):
                return
            parent.rmdir()


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


def _in_order(arguments: Sequence[str]) -> list[str]:
    """Put flags before overrides, which Hydra does not find again after a flag."""
    flags: list[str] = []
    overrides: list[str] = []
    waiting = iter(arguments)
    for argument in waiting:
        name = argument.split("=", 1)[0]
        if name in FLAGS_WITH_VALUE:
            flags += [argument] if "=" in argument else [argument, next(waiting, "")]
        elif name in FLAGS:
            flags.append(argument)
        elif name == "--detach":
            overrides.append("hydra.launcher.detach=true")
        elif name.startswith("-"):
            known = (*FLAGS, *FLAGS_WITH_VALUE, "--detach")
            raise ValueError(
                f"Expected a flag, one of {', '.join(known)}, but got {name!r}; nearest: {nearest(name, known)}."
            )
        else:
            _refuse_no_choice(argument)
            overrides.append(_quote(argument))
    return [*flags, *overrides]


def _of_folder(arguments: Sequence[str]) -> list[str]:
    """Read `babelscope runs FOLDER --retry failed --follow`, or `babelscope sync FOLDER`, as overrides."""
    read: list[str] = []
    waiting = iter(arguments)
    for argument in waiting:
        name, _, value = argument.partition("=")
        if argument in FLAGS_WITH_VALUE:
            read += [argument, next(waiting, "")]
        elif name == "--follow":
            read.append(f"follow={value or 'true'}")
        elif name == "--retry":
            read.append(f"retry={value or next(waiting, 'failed')}")
        elif not argument.startswith("-") and ("=" not in argument or Path(argument).exists()):
            read.append("folder='" + argument.replace("'", r"\'") + "'")
        else:
            read.append(argument)
    return read


def _refuse_no_choice(override: str) -> None:
    """Refuse a value for a group that is no name of a choice, or `none` in a list of others, which it would undo.

    Of what is no name Hydra does not say which group it was for, if it refuses it in one line at all.
    """
    group, _, value = override.lstrip("+").partition("=")
    folder = conf_folder() / group
    if not group or not folder.is_dir():
        return
    lists = [{name.strip(" '\"") for name in names.split(",")} for names in re.findall(r"\[([^\[\]]*)\]", value)]
    if (folder / "none.yaml").is_file() and any("none" in names and len(names) > 1 for names in lists):
        raise ValueError(
            f"Expected `{group}` to be none or a list without it, but got {value}; leave none out, or write "
            f"{group}=none."
        )
    names = set().union(*lists) if lists else {value}
    is_wrong_list = bool(lists) and group not in LISTS
    if not is_wrong_list and not any(re.fullmatch(NO_NAME, name, re.IGNORECASE) for name in names):
        return
    options = sorted(file.stem for file in folder.glob("*.yaml") if file.stem != "default")
    is_none = "none" in options and value.lower() in ("null", "false")
    remedy = f"write {group}=none" if is_none else "choose one, or leave it out"
    if group == "languages" and is_wrong_list:
        remedy = f"a list of codes of your own is languages.codes={value}"
    raise ValueError(f"Expected `{group}` to be one of {', '.join(options)}, but got {value}; {remedy}.")


def _quote(override: str) -> str:
    """Quote plain values that Hydra does not read as they stand.

    It reads none with an equals sign, as names of revisions have, none with `~`; and 12e4 as a number, even of a run.
    """
    key, _, value = override.partition("=")
    if not value or re.search(r"[\s'\"\\()\[\]{}$]", value):
        return override
    begins = tuple("~0123456789") if key.endswith(("output", "revision")) else ("~",)
    return f"{key}=" + ",".join(
        f"'{part}'" if "=" in part or part.startswith(begins) else part for part in value.split(",")
    )


def _name_file(error: UnicodeDecodeError) -> Exception:
    """Say which YAML file is no UTF-8, as Hydra, which was reading it, does not."""
    from babelscope.data.reading import read_lines  # with torch, which the command needs for nothing else here

    for frame, _ in traceback.walk_tb(error.__traceback__):
        path = frame.f_locals.get("full_path")  # of Hydra's reader of files
        if path is not None:
            try:
                read_lines(Path(path))
            except ValueError as named:
                return named
    return error


def _import(name: str) -> ModuleType:
    """Import a module before the first job; what is there by then stays, so the garbage collector may pass it over.

    With torch and transformers that is a quarter of the time, and a third of a second for every full collection after.
    """
    if gc.get_freeze_count():  # by now a job may have left what is to be collected
        return importlib.import_module(name)
    gc.disable()
    try:
        return importlib.import_module(name)
    finally:
        gc.freeze()
        gc.enable()
