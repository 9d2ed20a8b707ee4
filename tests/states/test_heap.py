import subprocess
import sys

import pytest

from babelscope.states.heap import keep_freed_memory

COUNT = """
import resource
import torch
from babelscope.states.heap import keep_freed_memory
torch.set_num_threads(1)
if {keep}:
    keep_freed_memory()
def use():
    parts = [torch.ones(12 * 2**20) for _ in range(4)]  # 48 MiB each, more than glibc ever keeps by itself
    return sum(float(part[-1]) for part in parts)
for _ in range(3):
    use()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    use()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not keep_freed_memory(), reason="another allocator than glibc's")
def test_memory_that_is_wanted_again_is_not_fetched_again():
    pages = {}
    for keep in (True, False):
        done = subprocess.run(
            [sys.executable, "-c", COUNT.format(keep=keep)], capture_output=True, text=True, check=True
        )
        pages[keep] = int(done.stdout)
    assert pages[False] > 10_000
    assert pages[True] < pages[False] / 10
