from dataclasses import replace

import numpy as np
import pytest
from tests.report.study.test_tables import study_of
from tests.report.study_runs import make_run, make_study

from babelscope.report.study.claims import FAILS, HOLDS, OPEN, check_claims, check_link
from babelscope.report.study.tables import language_values, unit_values

TEXTS = {
    "spread": "Alignment differs between languages before fine-tuning, on these test sentences.",
    "fall": "Fine-tuning on one language lowers alignment in the early layers.",
    "depth": "It lowers alignment more in the early layers than in the later ones.",
    "keeps": "Freezing early layers (early_half) retains alignment in the layers above, which train.",
    "gains": "Freezing early layers (early_half) improves zero-shot transfer.",
    "costs": "Freezing early layers (early_half) costs score in the source language.",
    "best": "early_half gives the best zero-shot",
    "settings": "Settings that keep more early alignment transfer better.",
    "runs": "Runs that keep more early alignment transfer better, within a seed.",
}
SETTINGS = ("none", "embeddings", "early", "early_half", "early_most", "last")


def claims_of(runs, metric="mexa"):
    study = study_of(runs)
    found = check_claims(study, unit_values(study), language_values(study), metric)
    return {name: claim for name, text in TEXTS.items() for claim in found if claim.text.startswith(text)}


@pytest.fixture(scope="module")
def planted():
    return claims_of(make_study(SETTINGS, range(5), ("eng_Latn", "ind_Latn"), above=0.5))


def test_planted_effects_hold(planted):
    assert set(planted) == set(TEXTS)
    open_or_not = {name: claim.verdict for name, claim in planted.items()}
    for name in ("spread", "fall", "depth", "keeps", "gains", "best", "runs"):
        assert open_or_not[name] == HOLDS, name
    # 0.06 a step in the early third, 0.024 in the later two, over two steps
    assert planted["fall"].effect.value == pytest.approx(0.12, abs=0.01)
    assert planted["depth"].effect.value == pytest.approx(0.12 - 0.048, abs=0.01)
    assert planted["gains"].effect.value == pytest.approx(0.09, abs=0.01)
    assert planted["gains"].effect.n == 5
    assert planted["gains"].how == planted["runs"].how == "Student's t over 5 seeds"
    assert planted["settings"].how == "Fisher's z over 6 settings"


def test_reversed_effects_do_not_hold():
    found = claims_of(make_study(SETTINGS, range(5), effect=-1.0, above=0.5))
    for name in ("fall", "depth", "keeps", "gains"):
        assert found[name].verdict == FAILS, name
    assert found["spread"].verdict == HOLDS
    assert "best" not in found  # another setting is
    assert "5 seeds" in found["fall"].how


def test_noise_is_undecided():
    found = claims_of(make_study(("none", "early_half"), range(5), effect=0.0, noise=0.05))
    assert {found[name].verdict for name in ("fall", "depth", "keeps", "gains")} == {OPEN}


def test_a_loss_is_better_when_it_is_lower():
    found = claims_of(make_study(("none", "early_half"), range(5), task="lm"))
    assert found["gains"].verdict == HOLDS
    assert found["gains"].effect.value == pytest.approx(3 * 0.09, abs=0.03)
    assert "best" not in found  # ahead of none: that is what "gains" asks
    both = claims_of(make_study(("early", "early_half"), range(5), task="lm"))
    assert both["best"].verdict == HOLDS


def test_one_seed_decides_nothing():
    found = claims_of(make_study(SETTINGS, (0,)))
    assert {claim.verdict for name, claim in found.items() if name != "settings"} == {OPEN}
    assert not found["fall"].effect.known


def test_a_run_copied_under_other_seeds_decides_nothing():
    runs = make_study(("none", "early_half"), (0,))
    copies = [replace(run, config={**run.config, "seed": seed}) for run in runs for seed in (0, 1, 2)]
    found = claims_of(copies)
    assert {claim.verdict for claim in found.values()} == {OPEN}
    assert "the same to the last digit" in found["fall"].how


def test_seeds_that_read_the_same_sentences_say_nothing_of_the_spread():
    runs = make_study(("none",), range(3), noise=0.0)
    spread = claims_of(runs)["spread"]
    assert (spread.verdict, spread.effect.known) == (OPEN, False)


def test_languages_alike_but_for_sampling_are_undecided():
    study = study_of(make_study(("none",), range(6), noise=0.03))
    by_language = language_values(study)
    first = by_language["quantity"] == "first"
    by_language.loc[first, "value"] = 0.5 + np.random.default_rng(1).normal(0, 0.03, int(first.sum()))
    spread = check_claims(study, unit_values(study), by_language, "mexa")[0]
    assert spread.text == TEXTS["spread"]
    assert spread.verdict == OPEN


def test_the_order_of_the_runs_changes_nothing(planted):
    again = claims_of(make_study(SETTINGS, range(5), ("eng_Latn", "ind_Latn"), above=0.5)[::-1])
    assert again == planted


def test_frozen_layers_prove_nothing():
    found = claims_of(make_study(("none", "early_half"), range(5)))
    # layers 0 to 3 are frozen and keep theirs by construction; above them freezing saves nothing here
    assert found["fall"].verdict == HOLDS
    assert (found["keeps"].verdict, found["keeps"].measure) == (
        OPEN,
        "alignment kept above layer 3, early_half minus none",
    )
    assert found["keeps"].effect.value == pytest.approx(0, abs=0.01)
    effects = [round(claim.effect.value, 9) for claim in found.values()]
    assert len(set(effects)) == len(effects)


def test_without_a_trainable_map_it_is_the_later_two_thirds():
    runs = [replace(run, manifest={**run.manifest, "trainable": []}) for run in make_study(("none", "early_half"))]
    assert claims_of(runs)["keeps"].measure == "alignment kept in the later two thirds, early_half minus none"


def test_a_score_where_lower_is_better_is_turned():
    runs = make_study(SETTINGS, range(5), metrics=("separability", "hubness"), fall=-0.06, above=0.5)
    found = claims_of(runs, "separability")
    for name in ("fall", "depth", "keeps", "runs"):
        assert found[name].verdict == HOLDS, name
    assert "lower is better" in found["fall"].measure


def test_a_score_that_is_neither_makes_no_claim_of_alignment():
    found = claims_of(make_study(SETTINGS, range(3), metrics=("hubness",)), "hubness")
    assert not set(found) & {"spread", "fall", "depth", "keeps", "settings", "runs"}


def test_correlation_within_a_seed_is_seldom_found_where_there_is_none():
    study = study_of(make_study(SETTINGS, range(3)))
    values = unit_values(study)
    places = values["quantity"].isin(["kept", "zero_shot"])
    verdicts = []
    for draw in range(60):
        rng = np.random.default_rng(draw)
        noise = values.assign(value=values["value"].mask(places, rng.normal(size=len(values))))
        verdicts.append(check_link(study, noise, "mexa")[-1].verdict)
    assert verdicts.count(OPEN) >= 51


def test_incomplete_settings_are_neither_best_nor_in_the_correlation():
    full, part = make_study(SETTINGS, range(4)), make_study(("guard",), range(2))
    found = claims_of([*full, *part])
    assert found["settings"].how == "Fisher's z over 6 settings"
    assert found["best"].effect.n == 4


def test_a_seed_without_all_source_languages_is_left_out_and_counted():
    sources = ("eng_Latn", "ind_Latn")
    found = claims_of([*make_study(("none", "early_half"), range(3), sources), make_run("none", 3)])
    assert found["fall"].how == "Student's t over 3 seeds; 1 seed without all source languages left out"
    found = claims_of([*make_study(("none",), range(3), sources), *make_study(("early_half",), range(3))])
    assert found["gains"].how == "Student's t over 3 seeds; eng_Latn only"


def test_the_spread_is_that_of_one_source_language(planted):
    assert planted["spread"].measure.endswith("runs on eng_Latn")
