"""Every row of the table of speed, each against its peer in the same settings: JSON, and a table in Markdown.

python scripts/bench.py                                    # all rows; hours, most of them the peers'
python scripts/bench.py neighbours probes --repeats 3
python scripts/bench.py --quick                            # tiny sizes: does it run, are results equal; no time counts

Each row runs in a process of its own (with --quick, all in one). The exit status is 1 if a result is not equal to the
peer's within its bound, or a row fails; never for a time. Unknown rows: 2.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks import ROWS
from benchmarks.result import Settings
from benchmarks.table import markdown, show
from rich.console import Console

HERE = Path(__file__).resolve().parent
CORPUS = HERE.parent.parent / "shared" / "data" / "sib200"
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def main(arguments: Sequence[str] | None = None) -> int:
    given = parse(arguments)
    if unknown := [row for row in given.rows if row not in ROWS]:
        print(f"Expected rows among {', '.join(ROWS)}, but got {unknown[0]!r}; name one of them", file=sys.stderr)
        return 2
    rows = given.rows or list(ROWS)
    settings = Settings(given.quick, given.repeats, given.threads, str(given.corpus), str(given.scratch or ""))
    console = Console(stderr=True)
    records: list[dict[str, Any]] = []
    for number, group in enumerate([rows] if given.quick else [[row] for row in rows], start=1):
        console.print(f"{number}/{1 if given.quick else len(rows)} {', '.join(group)}", highlight=False)
        records += run(group, settings)
    machine = next((record for record in records if record["kind"] == "machine"), None)
    if machine is None:
        print("no row came to its end: see what is said above", file=sys.stderr)
        return 1
    found = [record for record in records if record["kind"] != "machine"]
    command = f"python scripts/bench.py {' '.join(sys.argv[1:] if arguments is None else arguments)}".strip()
    given.output.mkdir(parents=True, exist_ok=True)
    whole = {"command": command, "machine": machine, "settings": asdict(settings), "records": found}
    (given.output / "bench.json").write_text(json.dumps(whole, indent=1) + "\n")
    (given.output / "bench.md").write_text(markdown(found, machine, command))
    show(Console(), found)
    bad = [record["row"] for record in found if record["kind"] == "failed" or not record.get("holds", True)]
    if bad:
        print(f"not equal, or failed: {', '.join(dict.fromkeys(bad))}", file=sys.stderr)
    return int(bool(bad))


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "", epilog=", ".join(ROWS))
    parser.add_argument("rows", nargs="*", metavar="ROW", help="all by default")
    parser.add_argument("--quick", action="store_true", help="tiny sizes")
    parser.add_argument("--repeats", type=positive, default=5, help="interleaved repetitions (default: 5)")
    parser.add_argument("--threads", type=positive, default=2, help="of ours and of the peers (default: 2)")
    parser.add_argument(
        "--output", type=Path, default=Path("outputs/benchmarks"), help="folder of bench.json, bench.md"
    )
    parser.add_argument("--corpus", type=Path, default=CORPUS, help="folder of SIB-200; the lab's text where absent")
    parser.add_argument("--scratch", type=Path, default=None, help="folder for temporary files, 2 GiB")
    return parser.parse_args(arguments)


def positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"expected at least 1, but got {number}")
    return number


def run(rows: Sequence[str], settings: Settings) -> list[dict[str, Any]]:
    """Run rows in a process of their own and read what it wrote; a process that is killed is a row that failed."""
    environment = {**os.environ, **dict.fromkeys(THREADS, str(settings.threads)), "TOKENIZERS_PARALLELISM": "false"}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(HERE), os.environ.get("PYTHONPATH"))))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "records.jsonl"
        file.touch()
        command = [sys.executable, "-m", "benchmarks.worker", str(file), json.dumps(asdict(settings)), *rows]
        status = subprocess.run(command, env=environment, check=False).returncode
        records = [json.loads(line) for line in file.read_text().splitlines()]
    if status:
        ended = [record["row"] for record in records if record["kind"] == "memory"]
        row = next((row for row in rows if row not in ended), rows[-1])
        records.append({"row": row, "kind": "failed", "why": f"its process ended with status {status}"})
    return records


if __name__ == "__main__":
    sys.exit(main())
