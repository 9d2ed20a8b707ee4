import numpy as np
import pytest

from babelscope.analyses.neurons.pair_rows import language_pair_rows, legacy_row, null_rows, pair_rows
from babelscope.metrics.pairs.cosine_sums import squared_norms
from babelscope.metrics.pairs.legacy_sads import legacy_order
from babelscope.metrics.pairs.nulls import Relabelling, all_cosines
from tests.analyses.neurons.rows import by_key
from tests.metrics.cosines import planted, slow_lrds, slow_means, slow_sads, sums_of

NAMES = ("eng_Latn", "deu_Latn", "ell_Grek")
X = planted()[:3, :6, :40]
SUMS = sums_of(X)


def keyed(rows):
    assert {row["layer"] for row in rows} == {"7"}
    return by_key(rows, "metric", "language", "other")


def test_a_language_a_row_and_their_mean():
    found = keyed(pair_rows("7", SUMS, NAMES))
    assert len(found) == 2 * 3 * (3 + 1)
    for metric, slow in (("lrds", slow_lrds(X)), ("sads", slow_sads(X))):
        assert [found[metric, name, ""] for name in NAMES] == pytest.approx(slow, abs=1e-10)
        assert found[metric, "", ""] == pytest.approx(np.mean(slow), abs=1e-10)
        for name in (*NAMES, ""):
            assert found[f"{metric}_low", name, ""] < found[metric, name, ""] < found[f"{metric}_high", name, ""]


def test_every_two_languages_have_a_row_in_both_directions():
    found = keyed(language_pair_rows("7", SUMS, NAMES))
    different, same = slow_means(X)
    assert len(found) == 3 * 2
    for i, language in enumerate(NAMES):
        for j, other in enumerate(NAMES):
            if i != j:
                assert found["sads", language, other] == pytest.approx(same[i, j] - different[i, j], abs=1e-10)


def test_the_null_is_the_range_of_points_measured_under_other_labels():
    relabelling = Relabelling.draw(3, 6, 5, seed=1)
    norm = squared_norms(X).sqrt()
    found = keyed(null_rows("7", all_cosines(X, norm), relabelling))
    points = X.flatten(0, 1)
    nulls = {
        "lrds": [np.mean(slow_lrds(points[index])) for index in relabelling.languages],
        "sads": [np.mean(slow_sads(points[index.T])) for index in relabelling.sentences],
    }
    for metric, values in nulls.items():
        assert found[f"{metric}_null_low", "", ""] == pytest.approx(min(values), abs=1e-10)
        assert found[f"{metric}_null_high", "", ""] == pytest.approx(max(values), abs=1e-10)
    assert len(found) == 4


def test_the_legacy_order_has_a_row():
    x = legacy_order(X)
    found = keyed([legacy_row("7", sums_of(x))])
    assert found["sads_legacy", "", ""] == pytest.approx(np.mean(slow_sads(x)), abs=1e-10)


def test_two_sentences_have_no_interval():
    with pytest.raises(ValueError, match="at least 3 sentences"):
        pair_rows("7", sums_of(X[:, :2]), NAMES)
