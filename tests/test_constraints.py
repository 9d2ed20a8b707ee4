"""The tested set of versions: whole, and without what would pull gigabytes of CUDA."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PINS = dict(
    line.split("==")
    for line in (ROOT / "constraints.txt").read_text().lower().splitlines()
    if line[:1] not in ("#", "")
)


def test_every_dependency_is_pinned():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = {re.split(r"[\[<>=!~ ]", name)[0] for name in [*project["dependencies"], *extras["faiss"], *extras["dev"]]}
    normal = {name.replace("_", "-") for name in PINS}
    assert {name.lower().replace("_", "-") for name in wanted} - normal <= {"babelscope"}


def test_torch_is_the_tested_one_and_nothing_pulls_cuda():
    assert PINS["torch"] == "2.13.0"
    assert not [name for name in PINS if re.search("nvidia|cuda|triton|faiss-gpu", name)]
