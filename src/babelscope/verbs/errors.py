"""One line for what a user can mend."""

import errno
import os
import re
from collections.abc import Iterable, Sized
from difflib import get_close_matches
from pathlib import Path

from hydra.errors import HydraException, MissingConfigException, OverrideParseException, SearchPathException
from omegaconf import DictConfig
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException
from yaml import MarkedYAMLError, YAMLError

from babelscope.verbs.config.groups import choices_of, read_group

FULL = "No space left on device"


def is_users(error: BaseException) -> bool:
    """Whether a user can mend it, rather than only we."""
    # some writers wrap what the system says in an exception of their own
    known = ValueError | OSError | HydraException | OmegaConfBaseException | YAMLError
    return isinstance(error, known) or FULL in str(error)


def exit_code(error: BaseException) -> int:
    """Tell the exit code of the command that ends by it."""
    if isinstance(error, KeyboardInterrupt):
        return 130
    if isinstance(error, SystemExit):  # a signal that ends the process, or Slurm's requeue
        return error.code % 256 if isinstance(error.code, int) else int(error.code is not None)
    return 2 if is_users(error) else 1


def one_line(error: BaseException) -> str:
    """Name the argument, the value and the remedy in one line, whatever wrapped them."""
    where = ""
    while error.__cause__ is not None and isinstance(error, HydraException | OmegaConfBaseException):
        found = re.search(r"^\s*full_key: (\S+)", str(error), re.MULTILINE)
        where = f"`{found[1]}`: " if found else where
        error = error.__cause__
    known = next(
        filter(None, (explain(error) for explain in (_choice, _override, _missing, _key, _yaml, _disk, _gpu))), None
    )
    if known is not None:
        return known
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    kept = [line for line in lines if not line.startswith(("full_key:", "object_type=", "reference_type="))]
    remedy = "; correct or remove this key." if isinstance(error, TypeError) else ""
    kept = [re.sub(r"^ValueError raised while resolving interpolation: ", "", line) for line in kept]
    where = "" if kept and kept[0].startswith("Expected `") else where  # it names the user's own key
    return where + (" ".join(kept) or type(error).__name__) + remedy


def what_is(root: Path) -> str:
    """Say of a folder in which nothing was found what it is."""
    return "which has none" if root.is_dir() else "a file" if root.is_file() else "which is not there"


def nearest(word: str, known: Iterable[str]) -> str:
    """Name the known words that are most like one that is not known."""
    return ", ".join(get_close_matches(word, sorted(set(known)), n=3, cutoff=0.0))


def _choice(error: BaseException) -> str | None:
    if inside := re.search(r"In '(\S+)/(\S+)': Could not override '(\S+)'", str(error)):
        given = f"`{inside[1]}={inside[2]}`, which chooses a `{inside[3]}` that it lacks"
        return f"Expected a choice that is for this verb, but got {given}; leave it out."
    if group := re.match(r"Could not override '(\S+)'", str(error)):
        return f"Expected a group that this verb has, but got `{group[1]}`; leave it out; --help shows what it takes."
    if removed := re.match(r"Could not delete '(\S+)'", str(error)):
        return (
            f"Expected a choice that can be left out, but got `~{removed[1]}`; choose others in its place, by "
            f"{removed[1]}=NAME, or by {removed[1]}=[NAME,...] where it is a list."
        )
    if isinstance(error, SearchPathException):
        return f"Expected `--config-dir` to be a folder of YAML files, but got: {error}; correct the path."
    if not isinstance(error, MissingConfigException):
        return None
    place, _, name = str(error.missing_cfg_file).rpartition("/")
    folders = [Path(path) / place for path in re.findall(r"path=file://(.*)$", str(error), re.MULTILINE)]
    options = sorted({file.stem for folder in folders for file in folder.glob("*.yaml")} - {"default"})
    hint = f"nearest: {nearest(name, options)}" if len(options) > 6 else "choose one of these"
    if place == "languages":
        hint = f"a list of codes of your own is languages.codes=[{name},...]"
    known = f"one of {', '.join(options)}" if options else "one that is installed"  # of Hydra's own groups
    return f"Expected `{place}` to be {known}, but got {name!r}; {hint if options else 'leave it out'}."


def _override(error: BaseException) -> str | None:
    if not isinstance(error, OverrideParseException):
        return None
    return f"Expected an override as KEY=VALUE, but got {error.override!r}; {_given(str(error.override))}."


def _given(override: str) -> str:
    """Say how to write what has no key, or a value that Hydra cannot read."""
    if "=" not in override and os.path.exists(os.path.expanduser(override)):  # which, unlike Path's, never raise
        return f"write which key the path is for, as runs={override} of babelscope report"
    key, _, value = override.partition("=")
    plain = value and not re.match(r"[\['\"]|\{.*\}$", value)
    quoted = f'{key}="{value}"' if plain and '"' not in value else 'model.name="a, b"'
    return f"put a value with special characters in quotes inside the shell's, as in '{quoted}'"


def _missing(error: BaseException) -> str | None:
    found = re.search(r"Missing mandatory value: (\S+)", str(error))
    return found and f"Expected `{found[1]}` to be given, but it has no default; add {found[1]}=VALUE."


def _key(error: BaseException) -> str | None:
    if not isinstance(error, ConfigAttributeError | ConfigKeyError) or not isinstance(error.parent_node, DictConfig):
        return None
    full, key = str(error.full_key), str(error.key)
    if unchosen := _unchosen(full, key, error.parent_node):
        return unchosen
    known = [str(name) for name in error.parent_node if not str(name).startswith("_")]
    whose = f"`{full.removesuffix(key).rstrip('.')}`" if full != key else "this verb"
    near = f"nearest: {nearest(key, known)}; " if known else ""
    return f"Expected a key of {whose}, but got `{key}`; {near}--cfg job shows all, and +{full}=VALUE adds one."


def _unchosen(full: str, key: str, siblings: Sized) -> str | None:
    """Say how to choose what a key is of: a choice of a group that is none now, or has others."""
    group = full.removesuffix(f".{key}")
    choices = choices_of(group)
    if full == key or not choices:
        return None
    if key in choices and key in read_group(group).keys:  # of several that may be chosen, each has its own key
        where, wanted = full, f"{group}=[{key}], or {group}=[...,{key}] beside others,"
    elif not len(siblings):
        where, wanted = group, f"{group}={' or '.join(choices)}"
    else:
        return None
    return f"Expected `{where}` to be chosen before its keys are set, but got `{full}` alone; choose {wanted} as well."


def _yaml(error: BaseException) -> str | None:
    if not isinstance(error, YAMLError):
        return None
    place, reason = "a file below `--config-dir`", type(error).__name__
    if isinstance(error, MarkedYAMLError) and error.problem_mark is not None:
        place = f"{error.problem_mark.name}, line {error.problem_mark.line + 1}"
        reason = error.problem or reason
    return f"Expected YAML in {place}, but got: {reason}; correct it."


def _disk(error: BaseException) -> str | None:
    if FULL in str(error) or (isinstance(error, OSError) and error.errno == errno.ENOSPC):
        return (
            "Expected room on the disk for what the run writes, but it is full; free some, or choose another disk by "
            "output=FOLDER for results and cache=FOLDER for checkpoints and states."
        )
    if isinstance(error, OSError) and error.errno is not None:
        # what was to be written has another name until it is whole
        place = re.sub(r"\.([^/]+)\.\d+\.tmp$", r"\1", str(error.filename or "a file"))
        if error.errno == errno.EFBIG:
            return (
                f"Expected {place} to stay within the file-size limit, but got: {error.strerror}; raise that "
                "limit (ulimit -f), or choose another disk by output=FOLDER for results and cache=FOLDER for "
                "checkpoints and states."
            )
        return (
            f"Expected {place} to be a place to read and write, but got: {error.strerror}; "
            "correct the path, or choose another folder by output=FOLDER for results and cache=FOLDER for checkpoints "
            "and states."
        )
    return None


def _gpu(error: BaseException) -> str | None:
    if "No supported gpu backend found" not in str(error):
        return None
    return (
        "Expected `trainer.accelerator` to be on this machine, but got 'gpu', and torch finds none; write "
        "trainer=default, or check torch.cuda.is_available()."
    )
