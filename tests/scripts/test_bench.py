"""The benchmarks run, and their results are equal to the peers'; no time is looked at."""

import gc
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from babelscope.metrics import nearest_neighbours

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
QUICK = ("neighbours", "probes", "extraction", "profile", "neurons", "memory", "layer_scores", "scaling", "gpu")


def bench(folder, *arguments):
    command = [sys.executable, str(SCRIPTS / "bench.py"), "--quick", "--repeats", "1", "--threads", "1", *arguments]
    environment = {**os.environ, "BABELSCOPE_CACHE": str(folder / "cache"), "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600, check=False
    )


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    done = bench(folder, *QUICK, "--corpus", str(folder / "absent"))
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads((folder / "outputs/benchmarks/bench.json").read_text()), folder, done


@pytest.fixture
def benchmarks(monkeypatch):
    """Gives modules of the folder beside the command, which is no package of ours."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    gc.freeze()
    yield lambda name: importlib.import_module(f"benchmarks.{name}")
    for name in [name for name in sys.modules if name.split(".")[0] in ("benchmarks", "neuron_speed")]:
        monkeypatch.delitem(sys.modules, name)
    gc.unfreeze()


def test_every_row_ran_and_is_equal_to_its_peer(quick):
    records = quick[0]["records"]
    assert {record["row"] for record in records} == set(QUICK)
    lines = [record for record in records if record["kind"] == "line"]
    assert {record["row"] for record in lines} == set(QUICK) - {"scaling", "gpu"}
    for record in lines:
        assert record["checks"], record["work"]
        assert record["holds"], record
    assert not [record for record in records if record["kind"] == "failed"]


def test_a_row_without_its_needs_says_so(quick):
    (record,) = [record for record in quick[0]["records"] if record["row"] == "gpu" and record["kind"] != "memory"]
    assert record["kind"] == "skipped"
    assert record["why"] == "no CUDA device"


def test_the_json_tells_machine_and_settings(quick):
    found = quick[0]
    assert found["settings"]["threads"] == found["machine"]["threads"] == 1
    assert found["machine"]["cores"] >= 1
    assert {"torch", "numpy", "scikit-learn", "transformers"} <= set(found["machine"]["versions"])
    assert found["command"].startswith("python scripts/bench.py")
    assert "--quick" in found["command"]


def test_the_curves_have_a_factor_per_doubling(quick):
    curves = [record for record in quick[0]["records"] if record["kind"] == "curve"]
    assert {record["work"] for record in curves} == {"neighbours", "probes", "extraction"}
    assert all(record["per_doubling"] > 0 and len(record["sizes"]) == len(record["seconds"]) for record in curves)


def test_the_markdown_is_whole(quick):
    found, folder, _ = quick
    page = (folder / "outputs/benchmarks/bench.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("|")]
    assert all(line.count("|") in (6, 8) for line in rows)
    for record in found["records"]:
        if record["kind"] in ("line", "curve"):
            assert record["work"] in page
    assert "gpu: skipped" in page


def test_an_unknown_row_is_one_line(tmp_path):
    done = bench(tmp_path, "neighbors")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [done.stderr.strip()]
    assert "'neighbors'" in done.stderr
    assert not list(tmp_path.iterdir())


def test_an_unequal_result_ends_with_status_1(tmp_path, benchmarks, monkeypatch, capsys):
    result = benchmarks("result")
    command = importlib.import_module("bench")
    machine = {"kind": "machine", "processor": "P", "instructions": [], "cores": 1, "threads": 1}
    machine |= {"memory_gib": 1, "gpu": None, "python": "3", "commit": None, "versions": {}}
    line = result.Line("work", "peer", [2.0], [1.0], target=3.0, checks=[result.Check("apart", 2.0, "<=", 1.0)])
    monkeypatch.setattr(command, "run", lambda rows, settings: [machine, {"row": rows[0], **line.record()}])
    assert command.main(["probes", "--output", str(tmp_path)]) == 1
    assert "not equal, or failed: probes" in capsys.readouterr().err
    assert "NOT EQUAL" in (tmp_path / "bench.md").read_text()


def test_a_slow_but_equal_line_holds(benchmarks):
    result = benchmarks("result")
    line = result.Line("work", "peer", [2.0, 4.0], [1.0, 1.0], target=3.0, checks=[result.Check("apart", 0, "==", 0)])
    record = line.record()
    assert record["holds"]
    assert (record["ratio"], record["ratio_from"], record["ratio_to"]) == (0.375, 0.25, 0.5)
    share = result.Line("work", "peer", [1.1], [1.0], share=True).record()
    assert share["ratio"] == pytest.approx(0.1)


def test_a_check_that_is_not_a_number_does_not_hold(benchmarks):
    assert not benchmarks("result").Check("apart", float("nan"), "<=", 1.0).holds


def test_the_slope_of_a_curve(benchmarks):
    record = benchmarks("result").Curve("work", "points", [1, 2, 4], [3.0, 12.0, 48.0]).record()
    assert record["slope"] == pytest.approx(2)
    assert record["per_doubling"] == pytest.approx(4)


def test_a_neighbour_that_is_farther_is_found(benchmarks):
    neighbours = benchmarks("neighbours")
    x = benchmarks("data").points(3, 20, 8).x
    _, found = nearest_neighbours(x, neighbours.K)
    theirs = torch.cat([torch.arange(len(x)).unsqueeze(1), found], dim=1)
    (check, valid), extras = neighbours.compare(x, found, theirs)
    assert check.holds
    assert valid.holds
    assert extras == {"equal sets": 1}
    worse = found.clone()
    worse[0] = nearest_neighbours(x, 2 * neighbours.K)[1][0, neighbours.K :]
    (check, valid), extras = neighbours.compare(x, worse, theirs)
    assert check.value == 1
    assert not check.holds
    assert valid.holds
    worse[0] = 0
    assert neighbours.compare(x, worse, theirs)[0][1].value == 1


@pytest.mark.filterwarnings("ignore")
def test_the_gpu_rows_run_at_tiny_size(benchmarks):
    gpu, probes, tuning, result = map(benchmarks, ("gpu", "probes", "fine_tuning", "result"))
    small = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
    shape = gpu.Shape(
        llama=small | {"vocab_size": 400},
        languages=5,
        sentences=6,
        vocabulary=400,
        every=3,
        widths=(16,),
        probe=probes.Size(3, 20, 8, 2),
        layers=1,
        tuning=tuning.Size(32, 2, 400, 5, 6, 16, 8, 8, 400, 2),
    )
    for line in gpu.lines(result.Settings(quick=True, repeats=1), "cpu", shape):
        record = line.record()
        assert record["checks"]
        assert record["holds"], record
