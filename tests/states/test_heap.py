import subprocess
import sys

import pytest

from babelscope.states.heap import keep_freed_memory

COUNT = """
import resource
import torch
from babelscope.states.heap import keep_freed_memory
torch.set_num_threads(1)
def use():
    return torch.ones(12 * 2**20).sum()  # 48 MiB, more than glibc ever keeps by itself
def pages():
    for _ in range(2):
        use()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(2):
        use()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print(pages(), keep_freed_memory() and pages())
"""


@pytest.mark.skipif(not keep_freed_memory(), reason="another allocator than glibc's")
def test_memory_that_is_wanted_again_is_not_fetched_again():
    done = subprocess.run([sys.executable, "-c", COUNT], capture_output=True, text=True, check=True)
    plain, kept = map(int, done.stdout.split())
    assert plain > 10_000
    assert kept < plain / 10
