"""Time and memory of the token analyses on a synthetic table of published size, beside reading and multiplying it.

python scripts/token_scale.py [ROWS WIDTH [QUERIES]]      # 250000 2048 2500 by default: 1 GB in bfloat16 on disk

A smaller table with as many queries keeps the ratios: python scripts/token_scale.py 60000 1024 2500
"""

import resource
import sys
import tempfile
import time
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from babelscope.analyses.tokens.neighbours import count_scripts, draw_tokens, find_neighbours
from babelscope.analyses.tokens.script_probe import script_probe
from babelscope.analyses.tokens.token_rows import describe, token_rows

SCRIPTS = [*["Latn"] * 10, *["Cyrl"] * 4, *["Hani"] * 3, *["Arab"] * 2, "Grek", "Hang", "Thai", "Deva", "Hira", "Kana"]


def make(file: Path, rows: int, width: int) -> list[str]:
    """Rows of a script share an offset, so that there is something to find."""
    generator = torch.Generator().manual_seed(0)
    offsets = 0.3 * torch.randn(len(SCRIPTS), width, generator=generator)
    kinds = torch.randint(len(SCRIPTS), (rows,), generator=generator)
    table = torch.empty(rows, width, dtype=torch.bfloat16)
    for start in range(0, rows, 10_000):
        part = kinds[start : start + 10_000]
        table[start : start + 10_000] = (torch.randn(len(part), width, generator=generator) + offsets[part]).bfloat16()
    save_file({"table": table}, file)
    return [SCRIPTS[kind] for kind in kinds]


class Clock:
    """Prints what each piece of work takes: time, also as a multiple of the first one's, and memory."""

    def __init__(self) -> None:
        self.first = 0.0
        self.started = time.perf_counter()

    def tell(self, what: str) -> None:
        seconds = time.perf_counter() - self.started
        self.first = self.first or seconds
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"{what:<62}{seconds:>8.1f} s{seconds / self.first:>7.2f} x{peak:>8.2f} GiB", flush=True)
        self.started = time.perf_counter()


def main(rows: int = 250_000, width: int = 2048, queries: int = 2500) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.safetensors"
        import multiprocessing

        with multiprocessing.get_context("spawn").Pool(1) as pool:  # its memory is not ours
            labels = pool.apply(make, (file, rows, width))
        print(f"{rows} x {width}, {torch.get_num_threads()} threads; peak memory of this process so far")
        with safe_open(file, "pt") as opened:
            table = opened.get_tensor("table")
            clock = Clock()
            few = table[:queries].float()
            for first in range(0, rows, 4096):
                (few @ table[first : first + 4096].float().T).amax()
            clock.tell(f"reading the table and multiplying {queries} rows by all")
            tokens = token_rows(table, labels)
            clock.tell("rows, labels, norms")
            found = find_neighbours(tokens, draw_tokens(tokens, queries / rows), 50)
            count_scripts(tokens, [found], k=(50,))
            clock.tell(f"50 neighbours of {queries} tokens, exact, and their scripts")
            describe(tokens)
            clock.tell("isotropy")
            script_probe(tokens, limit=1000, draws=1)
            clock.tell("script probe, 10 folds, 1,000 tokens a side, both controls")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
