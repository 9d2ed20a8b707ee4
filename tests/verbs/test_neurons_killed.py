"""A command that ends while it ablates keeps the regions that it has found."""

import re
from pathlib import Path

import pytest

from babelscope.report.table import read_run
from babelscope.verbs import neurons as verb
from tests.models.tiny import save_checkpoint
from tests.verbs.command import FIVE, babelscope, written

pytestmark = pytest.mark.usefixtures("somewhere")
GIVEN = (f"languages.codes={FIVE}", "sentences=12", "z.threshold=1.5", "permutations=3", "lape.share=0.05")
OFF = ("ablation.sentences=4", "ablation.controls=2")


def end(*_, **__):
    raise KeyboardInterrupt


def ablated(folder):
    rows = read_run(Path(folder)).rows.query("metric.str.contains('ablated')", engine="python")
    assert len(rows)
    return rows.drop(columns="run").reset_index(drop=True)


def test_regions_stay_and_are_used_again(somewhere, monkeypatch):
    command = ("neurons", f"model.checkpoint={save_checkpoint(somewhere / 'tiny', 'bloom', 'lm')}", *GIVEN, *OFF)
    assert babelscope(*command, "output=whole").code == 0
    with monkeypatch.context() as patched:
        patched.setattr(verb, "ablation_rows", end)
        ended = babelscope(*command, "output=run")
    assert (ended.code, ended.lines) == (130, ["babelscope: interrupted"])
    assert written(Path("run")) == ["regions", "regions/lape.safetensors", "regions/z.safetensors"]
    told = re.search(r"regions=\S+", ended.out)
    assert told is not None
    assert babelscope("report", "runs=run").code == 2  # which is no run yet
    with monkeypatch.context() as patched:
        patched.setattr(verb, "study_neurons", end)  # nothing is sought again
        assert babelscope(*command, told[0], "output=again").code == 0
    assert ablated("again").equals(ablated("whole"))
    assert babelscope(*command, "output=run").code == 0
    assert ablated("run").equals(ablated("whole"))
    assert {path.name for path in Path("run/regions").iterdir()} == {"lape.safetensors", "z.safetensors"}
