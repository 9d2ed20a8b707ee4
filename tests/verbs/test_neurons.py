import json
import shutil
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from babelscope.analyses.region_files import read, save
from babelscope.analyses.regions import Regions
from babelscope.report.table import read_run
from babelscope.verbs import neurons as neurons_verb
from tests.models.tiny import save_checkpoint
from tests.verbs import command
from tests.verbs.command import FIVE, babelscope, written

pytestmark = pytest.mark.usefixtures("somewhere")

refused = partial(command.refused, "neurons", "output=refused")
SMALL = (f"languages.codes={FIVE}", "sentences=12", "z.threshold=1.5", "permutations=3", "lape.share=0.05")
OFF = ("ablation.sentences=4", "ablation.controls=2")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    root = tmp_path_factory.mktemp("neurons")
    return {kind: save_checkpoint(root / kind, kind, "lm") for kind in ("bloom", "llama", "mt5", "xlm-roberta")}


def neurons(*arguments, output="run"):
    ended = babelscope("neurons", f"output={output}", *SMALL, *arguments)
    assert (ended.code, ended.err) == (0, ""), ended.err
    return read_run(Path(output)), ended.out


def value(run, metric, layer="", language="", other="", reading="down_input"):
    if metric.startswith(("lrds", "sads", "z_", "lape_", "published_")):
        metric = f"{reading}/{metric}"
    rows = run.rows.query("metric == @metric and layer == @layer and language == @language and other == @other")
    return rows["value"].item()


@pytest.mark.parametrize(
    ("kind", "criterion"), [("bloom", "lape"), ("llama", "lape"), ("mt5", "z"), ("xlm-roberta", "z")]
)
def test_a_run_of_every_family(tiny, kind, criterion):
    run, out = neurons(*OFF, f"model.checkpoint={tiny[kind]}", f"ablation.criterion={criterion}", "lape.share=0.2")
    wanted = {"lrds", "sads", "sads_null_high", "z_neurons"}
    wanted = {f"down_input/{metric}" for metric in wanted} | {"gate/lape_overlap", "down_input+gate/z_lape_overlap"}
    assert wanted <= set(run.rows["metric"])
    assert set(run.rows["layer"]) == {"", "1", "2", "3", "4"}
    assert value(run, "lrds_low") <= value(run, "lrds") <= value(run, "lrds_high")
    assert "Change of the loss" in out
    assert "run/report.html" in out
    facts = run.manifest["neurons"]
    assert (facts["reading"], facts["layers"], facts["found_on"], facts["measured_on"]) == ("down_input", 4, 12, 4)
    off = facts["ablated"]
    assert set(off) | set(facts["empty"][criterion]) == set(run.manifest["corpus"]["languages"])
    assert len(run.rows.query("metric == 'ablated_loss'")) == 5 * len(off)
    found = read(Path(f"run/regions/{criterion}.safetensors"))
    assert found.weights == run.manifest["weights"]
    assert value(run, "ablated_neurons", other=off[0]) == int(found.masks[off[0]].sum())


def test_the_same_command_gives_the_same_rows(tiny):
    arguments = (f"model.checkpoint={tiny['bloom']}", "ablation=null")
    first, _ = neurons(*arguments, output="first")
    again, _ = neurons(*arguments, output="again")
    assert first.rows.drop(columns="run").equals(again.rows.drop(columns="run"))


def test_readings_differ_only_where_a_gate_multiplies(tiny):
    for kind, same in (("bloom", True), ("llama", False)):
        arguments = (f"model.checkpoint={tiny[kind]}", "ablation=null", "lape=null")
        runs = [
            neurons(*arguments, f"reading={place}", output=f"{kind}-{place}")[0] for place in ("down_input", "gate")
        ]
        assert (value(runs[0], "sads") == value(runs[1], "sads", reading="gate")) == same


def test_the_released_stride_is_shown_beside_ours(tiny):
    run, _ = neurons(f"model.checkpoint={tiny['bloom']}", "ablation=null", "legacy=true")
    assert value(run, "sads_legacy") != value(run, "sads")
    assert value(run, "sads_legacy", layer="4") != value(run, "sads", layer="4")


def test_regions_of_a_file_are_used_again(tiny):
    model = f"model.checkpoint={tiny['bloom']}"
    first, _ = neurons(model, *OFF, output="first")
    again, _ = neurons(model, *OFF, "regions=first/regions/z.safetensors", output="again")
    assert "down_input/lrds" not in set(again.rows["metric"])
    off = first.manifest["neurons"]["ablated"][0]
    assert value(first, "ablated_loss", "", off, off) == value(again, "ablated_loss", "", off, off)


def test_regions_of_other_weights_are_refused_unless_told(tiny, somewhere):
    neurons(f"model.checkpoint={tiny['bloom']}", "ablation=null", output="first")
    other = save_checkpoint(somewhere / "other", "bloom", "lm", seed=1)
    use = (f"model.checkpoint={other}", "regions=first/regions/z.safetensors", *SMALL)
    assert "any_weights=true" in refused(*use)
    neurons(*use[:2], *OFF, "any_weights=true")
    shape = (f"model.checkpoint={tiny['llama']}", "regions=first/regions/z.safetensors", *SMALL)
    assert "4 blocks of 48 neurons" in refused(*shape, "any_weights=true")


def test_published_regions_are_compared(tiny):
    kept = [[torch.tensor([3, 5]), torch.tensor([], dtype=torch.int64)] * 2 for _ in range(5)]
    torch.save(kept, "published.pth")
    published = ("published.file=published.pth", f"published.languages={FIVE}")
    run, _ = neurons(f"model.checkpoint={tiny['llama']}", "ablation=null", *published)
    assert value(run, "published_neurons", language="deu_Latn", reading="gate") == 4
    wanted = {"down_input+gate/z_published_overlap", "gate/lape_published_overlap_chance"}
    assert wanted <= set(run.rows["metric"])


def test_scores_of_layers_without_a_region(tiny):
    only = ("ablation.languages=[deu_Latn]", "z.threshold=1.2")
    run, _ = neurons(f"model.checkpoint={tiny['xlm-roberta']}", *OFF, *only, "metrics=[sads]")
    intact = value(run, "intact_sads", "4", "rus_Cyrl")
    assert value(run, "ablated_sads", "4", "rus_Cyrl", "deu_Latn") != intact
    assert value(run, "random_sads", "4", "rus_Cyrl", "deu_Latn") != intact


def test_accuracy_of_a_classifier_without_a_region(somewhere):
    checkpoint = save_checkpoint(somewhere / "classifier", "xlm-roberta", "classification")
    run, _ = neurons(f"model.checkpoint={checkpoint}", "task=topic", *OFF, "z.threshold=1.2")
    off = run.manifest["neurons"]["ablated"][0]
    assert 0 <= value(run, "intact_accuracy", language="deu_Latn") <= 1
    assert 0 <= value(run, "ablated_accuracy", "", "deu_Latn", off) <= 1
    assert "ablated_loss" not in set(run.rows["metric"])


def test_what_a_run_leaves(tiny):
    neurons(f"model.checkpoint={tiny['bloom']}", "ablation=null")
    assert {"run.yaml", "manifest.json", "report.html", "results/neurons.parquet", "regions/z.safetensors"} <= set(
        written(Path("run"))
    )
    masks = load_file("run/regions/z.safetensors")
    assert {mask.shape for mask in masks.values()} == {(4, 128)}
    assert json.loads(Path("run/manifest.json").read_text())["neurons"]["per_layer"] == 128


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["languages.codes=[eng_Latn]"], "at least 2 languages"),
        (["languages.codes=[eng_Latn,eng_Latn,deu_Latn]"], "every language once, but got 'eng_Latn' twice"),
        ([f"languages.codes={FIVE}"], "`z.threshold` to be below 2.000"),
        (["z.threshold=5"], "at least 27 languages"),
        (["reading=both"], "`reading` to be 'down_input' or 'gate'"),
        (["lape.reading=x"], "`lape.reading` to be 'down_input' or 'gate'"),
        (["permutations=-1"], "`permutations` to be a whole number from 0"),
        (["ablation.controls=1"], "`ablation.controls` to be a whole number from 2"),
        (["ablation.criterion=size"], "`ablation.criterion` to be 'z' or"),
        (["ablation.criterion=published"], "found by (z, lape), but got 'published'"),
        (["ablation.languages=[xxx_Latn]"], "`ablation.languages` to be among the languages, but got 'xxx_Latn'"),
        (["ablation.languages=[eng_Latn]", "z.threshold=4.7"], "that of eng_Latn by 'z' is empty"),
        (["sentences=400"], "to have 400 sentences"),
        (["z=null", "lape=null"], "found by (none)"),
        (["ablation=null", "metrics=[ilo]"], "`ablation` to be on for `metrics`"),
        (["ablation=null", "regions=nowhere.safetensors"], "nowhere.safetensors"),
        (["ablation=null", "published.file=nowhere.pth"], "nowhere.pth"),
        (["ablation=null", "model.revision=step=7"], "`model.revision` to be a subfolder"),
        (["lape.share=0"], "`lape.share`"),
        (["z=2"], "`z` to be null or to have threshold"),
        (["any_weights=no"], "`any_weights` to be true or false"),
        (["task=topic"], "has no classifier"),
        (["z.threshold=high"], "`z.threshold` to be a number"),
    ],
)
def test_errors(tiny, arguments, message):
    small = ("sentences=12", "permutations=0", *OFF)
    assert message in refused(f"model.checkpoint={tiny['bloom']}", *small, *arguments)


def test_a_model_without_a_language_model_head_says_so(somewhere):
    classifier = save_checkpoint(somewhere / "classifier", "xlm-roberta", "classification")
    said = refused(f"model.checkpoint={classifier}", *SMALL, *OFF)
    assert "is not a language model" in said
    assert "ablation=null" in said
    neurons(f"model.checkpoint={classifier}", "ablation=null")


def test_a_classifier_of_other_labels_is_refused(somewhere):
    other = save_checkpoint(somewhere / "other", "xlm-roberta", "classification", labels=3)
    assert "classifier of the 7 labels" in refused(f"model.checkpoint={other}", "task=topic", *SMALL, *OFF)


def test_regions_too_large_to_be_matched_stay_on(tiny):
    masks = {code: torch.zeros(4, 128, dtype=torch.bool) for code in FIVE.strip("[]").split(",")}
    masks["eng_Latn"][1, :65] = True
    masks["deu_Latn"][2, :64] = True
    save(Regions(masks, "z", "down_input"), Path("large.safetensors"))
    given = (f"model.checkpoint={tiny['bloom']}", "regions=large.safetensors", *OFF)
    run, out = neurons(*given)
    assert run.manifest["neurons"]["ablated"] == ["deu_Latn"]
    assert run.manifest["neurons"]["left_out"]["eng_Latn"] == "has 65 of the 128 neurons of a block"
    assert run.manifest["neurons"]["found_on"] == 0
    assert "eng_Latn (has 65 of the 128" in " ".join(out.split())
    said = refused(*given, "ablation.languages=[eng_Latn]", *SMALL)
    assert "that of eng_Latn by 'z' has 65 of the 128 neurons of a block" in said


def test_regions_of_other_languages_are_named(tiny, monkeypatch):
    masks = {code: torch.ones(4, 128, dtype=torch.bool) for code in ("tur_Latn", "jpn_Jpan")}
    save(Regions(masks, "z", "down_input"), Path("other.safetensors"))
    given = (f"model.checkpoint={tiny['bloom']}", "regions=other.safetensors", *SMALL, *OFF)
    monkeypatch.setattr(neurons_verb, "load_for", None)  # refused before a model is loaded
    line = refused(*given)
    assert "masks for tur_Latn, jpn_Jpan only; write languages.codes=" in line
    assert "threshold" not in line


def test_an_old_t5_without_a_first_token_of_the_decoder(somewhere):
    told = save_checkpoint(somewhere / "told", "t5", "lm")
    config = json.loads((told / "config.json").read_text())
    assert config.pop("decoder_start_token_id") == config["pad_token_id"]
    shutil.copytree(told, somewhere / "old")
    (somewhere / "old" / "config.json").write_text(json.dumps(config))
    (somewhere / "old" / "generation_config.json").unlink()
    losses = [
        neurons(*OFF, f"model.checkpoint={somewhere / name}", "lape=null", output=f"run_{name}")[0].rows
        for name in ("told", "old")
    ]
    assert losses[0].drop(columns="run").equals(losses[1].drop(columns="run"))


def test_regions_of_an_earlier_attempt_in_the_folder_go(tiny):
    model = (f"model.checkpoint={tiny['bloom']}", "ablation=null")
    neurons(*model)
    Path("run/run.yaml").unlink()  # as one leaves it that ends before it has kept its configuration
    neurons(*model, "lape=null")
    assert [file.name for file in Path("run/regions").iterdir()] == ["z.safetensors"]
