"""Rows in a process of their own: python -m benchmarks.worker FILE SETTINGS ROW..., records to FILE as JSON lines."""

import gc
import json
import sys
import time
import traceback
from importlib import import_module
from pathlib import Path

from benchmarks.machine import describe, peak_memory
from benchmarks.result import Settings, Skip


def main(file: str, settings: str, *rows: str) -> None:
    given = Settings(**json.loads(settings))
    import torch

    torch.set_num_threads(given.threads)
    with Path(file).open("a") as written:

        def tell(row: str, **record: object) -> None:
            written.write(json.dumps({"row": row, **record}) + "\n")
            written.flush()

        tell("machine", kind="machine", **describe(given.threads))
        for row in rows:
            started = time.perf_counter()
            try:
                measure = import_module(f"benchmarks.{row}").measure
                gc.freeze()  # else every `once` would go through all that was imported
                for found in measure(given):
                    record = found.record()
                    tell(row, **record)
                    print(f"  {record['work']}", file=sys.stderr, flush=True)
            except Skip as skip:
                tell(row, kind="skipped", why=str(skip))
            except Exception as error:  # one row must not take the others with it; the command ends with status 1
                traceback.print_exc()
                tell(row, kind="failed", why=f"{type(error).__name__}: {error}")
            print(f"  {row}: {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
            tell(row, kind="memory", peak_gib=peak_memory())


if __name__ == "__main__":
    main(*sys.argv[1:])
