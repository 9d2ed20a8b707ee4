import math

import pytest
import torch
from scipy import stats

from babelscope.analyses.ablation import ablate
from babelscope.analyses.neurons.ablation_losses import ablation_losses
from babelscope.analyses.neurons.language_loss import LanguageLosses, language_losses
from babelscope.data.corpora import Corpus
from babelscope.models.parts import parts_of
from tests.analyses.neurons.rows import by_key
from tests.models.tiny import tiny_inputs, tiny_model, tiny_tokenizer

NAMES = ("eng_Latn", "ell_Grek")
TEXTS = {
    "eng_Latn": ("The cat sleeps.", "A dog", "Sun in the old town."),
    "ell_Grek": ("Η γάτα.", "Ένας", "Ήλιος σε"),
}
CORPUS = Corpus("toy", ("a", "b", "c"), TEXTS)


def masks_of(parts):
    masks = {name: torch.zeros(len(parts.blocks), parts.neurons, dtype=torch.bool) for name in NAMES}
    masks["eng_Latn"][0, :9] = True
    masks["ell_Grek"][1, 5:11] = True
    return masks


def keyed(rows):
    return by_key(rows, "metric", "language", "other")


@pytest.fixture(scope="module")
def measured():
    parts = parts_of(tiny_model("bloom", "lm", depth=2))
    measure = lambda: language_losses(parts, tiny_tokenizer(), CORPUS)  # noqa: E731
    rows = ablation_losses(parts, masks_of(parts), measure, controls=3)
    return parts, measure, rows


def test_the_matrix_is_that_of_single_passes(measured):
    parts, measure, rows = measured
    found, intact = keyed(rows), measure()
    assert all(row["layer"] == "" and math.isfinite(row["value"]) for row in rows)
    for other, mask in masks_of(parts).items():
        with ablate(parts, mask, place="gate"):
            without = measure()
        assert found["ablated_neurons", "", other] == int(mask.sum())
        for k, name in enumerate(NAMES):
            change = float(without.loss[k] - intact.loss[k])
            assert abs(change) > 1e-4
            assert found["ablated_loss", name, other] == pytest.approx(change, rel=1e-5)
            assert found["ablated_loss_low", name, other] < change < found["ablated_loss_high", name, other]
            ratio = float(without.perplexity[k] / intact.perplexity[k])
            assert found["ablated_perplexity", name, other] == pytest.approx(ratio, rel=1e-5)
            bits = float(without.bits_per_byte[k] - intact.bits_per_byte[k])
            assert found["ablated_bits_per_byte", name, other] == pytest.approx(bits, rel=1e-4)
    for metric in ("loss", "perplexity", "bits_per_byte"):
        values = getattr(intact, metric).tolist()
        assert [found[metric, name, ""] for name in NAMES] == pytest.approx(values)
        assert found[metric, "", ""] == pytest.approx(sum(values) / 2)


def test_a_region_alone_has_the_same_rows_and_random_sets_follow_the_seed(measured):
    parts, measure, rows = measured
    one = {"ell_Grek": masks_of(parts)["ell_Grek"]}
    alone = keyed(ablation_losses(parts, one, measure, controls=3))
    assert alone.items() <= keyed(rows).items()
    reseeded = keyed(ablation_losses(parts, one, measure, controls=3, seed=1))
    differing = {metric for (metric, *keys), value in reseeded.items() if value != alone[metric, *keys]}
    ends = {f"random_{name}{end}" for name in ("loss", "bits_per_byte") for end in ("", "_low", "_high")}
    assert differing == {*ends, "random_perplexity"}


def fake(nll, targets):
    """A model whose blocks run, while the losses are given: intact, ablated, then each random set."""
    parts = parts_of(tiny_model("bert", depth=2))
    passes = iter(nll)

    def measure():
        with torch.no_grad():
            parts.stack(**tiny_inputs())
        return LanguageLosses(next(passes), targets, targets.double() * 2, NAMES)

    return parts, measure


def test_intervals():
    generator = torch.Generator().manual_seed(0)
    targets = torch.randint(5, 30, (2, 60), generator=generator)
    intact = targets * (1 + torch.rand(2, 60, generator=generator, dtype=torch.float64))
    ablated = intact + targets * torch.rand(2, 60, generator=generator, dtype=torch.float64)
    total = targets.sum(1, keepdim=True)
    changes = torch.tensor([0.1, 0.3, 0.2, 0.6], dtype=torch.float64)
    random = [intact + targets * change for change in changes]
    parts, measure = fake([intact, ablated, *random], targets)
    one = {"eng_Latn": masks_of(parts)["eng_Latn"]}
    found = keyed(ablation_losses(parts, one, measure, controls=4))
    for k, name in enumerate(NAMES):
        change = ablated[k] - intact[k]
        value = float(change.sum() / total[k])
        left_out = (change.sum() - change) / (total[k] - targets[k])  # the jackknife, one sentence at a time
        error = math.sqrt(59 / 60 * float((left_out - left_out.mean()).square().sum()))
        half = stats.t.ppf(0.975, 59) * error
        assert found["ablated_loss", name, "eng_Latn"] == pytest.approx(value)
        assert found["ablated_loss_high", name, "eng_Latn"] - value == pytest.approx(half, rel=0.02)
        assert value - found["ablated_loss_low", name, "eng_Latn"] == pytest.approx(half, rel=0.02)
        low, high = stats.t.interval(0.95, 3, loc=0.3, scale=stats.sem(changes.numpy()))
        bits = found["random_bits_per_byte", name, "eng_Latn"]
        assert found["random_bits_per_byte_low", name, "eng_Latn"] <= bits
        assert found["random_loss", name, "eng_Latn"] == pytest.approx(0.3)
        assert found["random_loss_low", name, "eng_Latn"] == pytest.approx(low)
        assert found["random_loss_high", name, "eng_Latn"] == pytest.approx(high)
        assert found["random_perplexity", name, "eng_Latn"] == pytest.approx(math.exp(0.3))


def test_equal_changes_have_an_interval_of_their_value():
    targets = torch.full((2, 3), 7)
    nll = targets.double()
    parts, measure = fake([nll, nll + 7, *[nll + 14] * 2], targets)
    found = keyed(ablation_losses(parts, {"eng_Latn": masks_of(parts)["eng_Latn"]}, measure, controls=2))
    for limit in ("", "_low", "_high"):
        assert found[f"ablated_loss{limit}", "eng_Latn", "eng_Latn"] == pytest.approx(1)
        assert found[f"random_loss{limit}", "eng_Latn", "eng_Latn"] == pytest.approx(2)


def test_intervals_cover_the_truth_as_often_as_they_say():
    from babelscope.analyses.neurons.ablation_losses import _compare

    generator = torch.Generator().manual_seed(1)
    targets = torch.randint(5, 30, (800, 40), generator=generator)
    intact = torch.zeros(800, 40, dtype=torch.float64)
    noise = torch.randn(800, 40, generator=generator, dtype=torch.float64)
    ablated = targets * (0.5 + noise)
    size = targets.double()
    names = ("x",) * 800
    made = _compare(LanguageLosses(intact, targets, size, names), LanguageLosses(ablated, targets, size, names))
    covered = ((made["ablated_loss_low"] <= 0.5) & (made["ablated_loss_high"] >= 0.5)).double().mean()
    assert 0.92 < covered < 0.97


def test_too_few_of_anything_is_an_error():
    targets = torch.full((2, 1), 7)
    parts, measure = fake([targets.double()], targets)
    masks = masks_of(parts)
    with pytest.raises(ValueError, match="`controls` to be at least 2, for their interval, but got 1"):
        ablation_losses(parts, masks, measure, controls=1)
    with pytest.raises(ValueError, match="at least 2 sentences per language, for intervals, but got 1"):
        ablation_losses(parts, masks, measure)


def test_a_region_that_is_empty_or_cannot_be_matched_is_known_before_anything_runs():
    parts, measure = fake([], torch.full((2, 2), 7))
    with pytest.raises(ValueError, match="empty region for ell_Grek"):
        ablation_losses(parts, {**masks_of(parts), "ell_Grek": torch.zeros(2, 48, dtype=torch.bool)}, measure)
    mask = torch.ones(2, 48, dtype=torch.bool)
    with pytest.raises(ValueError, match="layer 1 has 48 of 48 inside"):
        ablation_losses(parts, {"eng_Latn": mask}, measure)
