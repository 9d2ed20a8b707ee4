from itertools import combinations
from math import isfinite

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from babelscope.analyses.neurons.region_rows import between_rows, kept_rows, region_rows
from babelscope.analyses.regions import Regions
from babelscope.report import summary
from babelscope.report import table as rows_on_disk

CODES = ("eng_Latn", "rus_Cyrl", "arb_Arab", "hin_Deva")


def regions_of(masks, criterion="z", codes=CODES):
    return Regions(dict(zip(codes, masks, strict=False)), criterion, "down_input")


def random_masks(languages, blocks, neurons, *, share=0.3, seed=0):
    g = torch.Generator().manual_seed(seed)
    return torch.rand(languages, blocks, neurons, generator=g) < share


def values(rows):
    found = {(row["metric"], row["layer"], row["language"], row["other"]): row["value"] for row in rows}
    assert len(found) == len(rows)
    return found


def as_sets(masks):
    return [{(block, f) for block in range(len(m)) for f in range(len(m[0])) if m[block][f]} for m in masks.tolist()]


def jaccard(both, one, other):
    either = one + other - both
    return both / either if either else 0.0


def expected_in_both(one, other, blocks, neurons):
    return sum(
        len([x for x in one if x[0] == b]) * len([x for x in other if x[0] == b]) / neurons for b in range(blocks)
    )


shapes = st.tuples(st.integers(1, 4), st.integers(1, 7), st.integers(1, 9))


@settings(max_examples=30, deadline=None)
@given(shape=shapes, share=st.sampled_from([0.0, 0.05, 0.3, 1.0]), seed=st.integers(0, 99))
def test_rows_are_those_of_a_plain_count(shape, share, seed):
    languages, blocks, neurons = shape
    masks = random_masks(*shape, share=share, seed=seed)
    found = values(region_rows(regions_of(masks)))
    sets = as_sets(masks)
    depth = summary.thirds(map(str, range(1, blocks + 1)))
    wanted = {}
    for k, own in enumerate(sets):
        wanted["z_neurons", "", CODES[k], ""] = len(own)
        for block in range(blocks):
            wanted["z_neurons", str(block + 1), CODES[k], ""] = len([x for x in own if x[0] == block])
        for j, other in enumerate(sets):
            if j != k:
                random = expected_in_both(own, other, blocks, neurons)
                wanted["z_overlap", "", CODES[k], CODES[j]] = jaccard(len(own & other), len(own), len(other))
                wanted["z_overlap_chance", "", CODES[k], CODES[j]] = jaccard(random, len(own), len(other))
    wanted["z_neurons", "", "", ""] = sum(map(len, sets)) / languages
    for third, layers in depth.items():
        shares = {
            CODES[k]: len([x for x in own if str(x[0] + 1) in layers]) / len(own) for k, own in enumerate(sets) if own
        }
        for code, part in shares.items():
            wanted[f"z_share_{third}", "", code, ""] = part
        if shares:
            wanted[f"z_share_{third}", "", "", ""] = sum(shares.values()) / len(shares)
        wanted[f"z_share_{third}_null", "", "", ""] = len(layers) / blocks
    assert found == pytest.approx(wanted, abs=1e-12)


@settings(max_examples=20, deadline=None)
@given(shape=shapes, seed=st.integers(0, 99))
def test_two_criteria_and_two_steps(shape, seed):
    first = random_masks(*shape, seed=seed)
    second = random_masks(*shape, share=0.1, seed=seed + 1000)
    between = values(between_rows(regions_of(first), regions_of(second, "lape")))
    kept = values(kept_rows(regions_of(first), regions_of(second)))
    pairs = list(zip(as_sets(first), as_sets(second), strict=True))
    overlap = [jaccard(len(a & b), len(a), len(b)) for a, b in pairs]
    chance = [jaccard(expected_in_both(a, b, *shape[1:]), len(a), len(b)) for a, b in pairs]
    for found, metric in ((between, "z_lape_overlap"), (kept, "z_kept")):
        wanted = {(metric, "", code, ""): v for code, v in zip(CODES, overlap, strict=False)}
        wanted |= {(f"{metric}_chance", "", code, ""): v for code, v in zip(CODES, chance, strict=False)}
        wanted[metric, "", "", ""] = sum(overlap) / len(overlap)
        wanted[f"{metric}_chance", "", "", ""] = sum(chance) / len(chance)
        assert found == pytest.approx(wanted, abs=1e-12)


def test_chance_is_what_random_placement_has_in_common():
    """Every placement of 2 of 4 neurons against every placement of 3 of 4, in one block of two; 1 of 4 in the other."""
    sets = [torch.zeros(2, 4, dtype=torch.bool) for _ in range(2)]
    sets[0][0, :2] = sets[1][0, :3] = sets[0][1, 0] = sets[1][1, 1] = True
    some = [len(set(a) & set(b)) for a in combinations(range(4), 2) for b in combinations(range(4), 3)]
    other = [a == b for a in range(4) for b in range(4)]
    both = sum(some) / len(some) + sum(other) / len(other)
    found = values(region_rows(regions_of(sets)))
    assert found["z_overlap_chance", "", "eng_Latn", "rus_Cyrl"] == pytest.approx(both / (7 - both))
    assert found["z_overlap", "", "eng_Latn", "rus_Cyrl"] == pytest.approx(2 / 5)


def test_the_same_region_overlaps_with_itself_whole_and_an_empty_one_with_nothing():
    masks = random_masks(3, 4, 50)
    masks[1] = masks[0]
    masks[2] = False
    found = values(region_rows(regions_of(masks)))
    assert found["z_overlap", "", "eng_Latn", "rus_Cyrl"] == 1
    assert found["z_overlap", "", "arb_Arab", "rus_Cyrl"] == 0
    assert ("z_share_early", "", "arb_Arab", "") not in found
    kept = values(kept_rows(regions_of(masks), regions_of(masks)))
    assert [kept["z_kept", "", code, ""] for code in CODES[:3]] == [1, 1, 0]
    assert kept["z_kept_chance", "", "arb_Arab", ""] == 0
    assert all(map(isfinite, (*found.values(), *kept.values())))


def test_criteria_compare_the_languages_that_both_have():
    masks = random_masks(4, 3, 20)
    found = values(between_rows(regions_of(masks), regions_of(masks[1:3], "published", codes=("hin_Deva", "eng_Latn"))))
    assert {language for _, _, language, _ in found} == {"", "eng_Latn", "hin_Deva"}


def test_rows_go_to_disk(tmp_path):
    rows = region_rows(regions_of(random_masks(3, 4, 50)))
    rows_on_disk.write(tmp_path, "regions", [{"run": "r", "step": 0, "epoch": 0, **row} for row in rows])
    assert len(rows_on_disk.read(tmp_path)) == len(rows)


def test_regions_that_do_not_compare():
    masks = random_masks(2, 3, 20)
    z = regions_of(masks)
    with pytest.raises(ValueError, match=r"got \(3, 20\) .* and \(2, 20\)"):
        between_rows(z, regions_of(masks[:, :2], "lape"))
    with pytest.raises(ValueError, match=r"rus_Cyrl .* for en, ru; compare .* the same language codes"):
        between_rows(z, regions_of(masks, "lape", codes=("en", "ru")))
    with pytest.raises(ValueError, match="two criteria, but got 'z' twice"):
        between_rows(z, z)
    with pytest.raises(ValueError, match="step 0 to be found by 'z', but got 'lape'"):
        kept_rows(z, regions_of(masks, "lape"))
