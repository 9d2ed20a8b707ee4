"""csv/metrics.csv as a mirror of the rows: a resumed run appends to the file that is there."""

import csv
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import CSVLogger
from pytorch_lightning.loggers.csv_logs import ExperimentWriter
from pytorch_lightning.loggers.logger import rank_zero_experiment
from pytorch_lightning.utilities.rank_zero import rank_zero_only

from babelscope.files import write_text


class CsvMirror(CSVLogger):
    """Lightning's logger for CSV, which keeps what an earlier process has logged, and counts as the rows do."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, Any], step: int | None = None) -> None:
        """Log numbers; Lightning validates before it counts the step and the epoch that are over."""
        if "epoch" in metrics and any(name.startswith("validation_") for name in metrics):
            metrics = {**metrics, "epoch": metrics["epoch"] + 1}
            step = None if step is None else step + 1
        super().log_metrics(metrics, step)

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """The writer of the file."""
        if self._experiment is None:
            self._experiment = AppendingWriter(self.log_dir)
        return self._experiment


class AppendingWriter(ExperimentWriter):
    """Appends to the metrics.csv of an earlier process.

    A row that is logged again, which is one of the same step with the same columns filled, replaces the earlier one: a
    run that goes on from a checkpoint repeats what came after it.
    """

    def __init__(self, log_dir: str):
        super().__init__(log_dir)
        self.path = Path(self.metrics_file_path)
        rows, self.metrics_keys = _read(self.path)
        self.earlier = {_kind(row) for row in rows}
        """Kinds of rows that only an earlier process has logged."""
        self.begun = False

    def _check_log_dir_exists(self) -> None:
        """Leave the file, which Lightning would delete here."""

    def save(self) -> None:
        """Add the rows logged since; the file is written anew, and whole, for new columns and rows logged again."""
        if not self.metrics:
            return
        again = self.earlier & {_kind(row) for row in self.metrics}
        columns = sorted({*self.metrics_keys}.union(*self.metrics))
        if self.begun and not again and columns == self.metrics_keys:
            with self.path.open("a", encoding="utf-8", newline="") as file:
                file.write(_format(self.metrics, columns))
        else:  # also at first, for a killed process may have left half a line
            kept = [row for row in _read(self.path)[0] if _kind(row) not in again]
            header = dict(zip(columns, columns, strict=True))
            write_text(self.path, _format([header, *kept, *self.metrics], columns))
        self.earlier -= again
        self.metrics_keys, self.metrics, self.begun = columns, [], True


def _read(path: Path) -> tuple[list[dict[str, str]], list[str]]:
    """Read the whole lines of a file, as rows of what they have, and its columns; nothing where there is no file."""
    text = path.read_bytes().decode("utf-8", errors="replace") if path.is_file() else ""
    reader = csv.DictReader(StringIO(text[: text.rfind("\n") + 1], newline=""))
    rows = [{name: value for name, value in row.items() if name and value} for row in reader]
    return rows, list(reader.fieldnames or [])


def _kind(row: Mapping[str, Any]) -> tuple[str, frozenset[str]]:
    return str(row.get("step")), frozenset(row)


def _format(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    lines = StringIO(newline="")
    csv.DictWriter(lines, columns).writerows(rows)
    return lines.getvalue()
