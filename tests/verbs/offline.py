"""What wandb wrote offline, read back."""

import json
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wandb.proto import wandb_internal_pb2 as pb

BLOCK = 32768


@dataclass
class Offline:
    """One offline part of a run."""

    file: Path
    id: str = ""
    name: str = ""
    group: str = ""
    job_type: str = ""
    tags: list[str] = field(default_factory=list)
    config: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    axes: list[tuple[str, str]] = field(default_factory=list)
    """Definitions in their order: a name or a pattern, and its x-axis."""
    exit: int | None = None

    def of(self, name: str) -> list[Any]:
        """Every value of one key."""
        return [line[name] for line in self.history if name in line]

    def table(self, line: dict[str, Any]) -> dict[str, Any]:
        """The table of a line of history."""
        found: dict[str, Any] = json.loads((self.file.parent / "files" / line["rows/path"]).read_text())
        return found


def offline_parts(folder: Path, *, ended: bool = True) -> list[Offline]:
    """Read every offline part at or below a folder, in order, each when its end is written, if it has ended.

    wandb writes from a process of its own, a moment after `finish` comes back.
    """
    files = sorted(folder.glob("**/wandb/offline-run-*/run-*.wandb"))
    until = time.monotonic() + 30
    while ended and time.monotonic() < until and any(read_part(file).exit is None for file in files):
        time.sleep(0.05)
    return [read_part(file) for file in files]


def read_part(file: Path) -> Offline:
    """Read one offline part as far as it goes."""
    part = Offline(file)
    for record in records(file):
        kind = record.WhichOneof("record_type")
        if kind == "run":
            run = record.run
            part.id, part.name, part.group, part.job_type = run.run_id, run.display_name, run.run_group, run.job_type
            part.tags = list(run.tags)
            _update(part.config, run.config.update)
        elif kind == "config":
            _update(part.config, record.config.update)
        elif kind == "summary":
            _update(part.summary, record.summary.update)
        elif kind == "history":
            line: dict[str, Any] = {}
            _update(line, record.history.item)
            part.history.append(line)
        elif kind == "metric":
            part.axes.append((record.metric.glob_name or record.metric.name, record.metric.step_metric))
        elif kind == "exit":
            part.exit = record.exit.exit_code
    return part


def _update(target: dict[str, Any], items: Any) -> None:
    for item in items:
        target["/".join(item.nested_key) or item.key] = json.loads(item.value_json)


def records(file: Path) -> Iterator[pb.Record]:
    """Read wandb's offline file: a 7-byte header, then LevelDB log blocks of protobuf records."""
    data, at, parts = file.read_bytes(), 7, b""
    assert data[:4] == b":W&B"
    while at + 7 <= len(data):
        if BLOCK - at % BLOCK < 7:  # a block ends in padding where no chunk header fits
            at += BLOCK - at % BLOCK
            continue
        _, length, kind = struct.unpack("<IHB", data[at : at + 7])
        at += 7
        if at + length > len(data):  # being written
            return
        parts += data[at : at + length]
        at += length
        if kind in (1, 4):  # whole, or the last of several chunks
            record = pb.Record()
            record.ParseFromString(parts)
            parts = b""
            yield record
