"""Commands in processes of their own, as a shell starts them."""

import os
import subprocess


def shell(*arguments, **environment):
    given = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", **environment}
    return subprocess.run(arguments, env=given, capture_output=True, text=True, timeout=120, check=False)
