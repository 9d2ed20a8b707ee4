import pytest
import torch

from babelscope.states import pool

ATTENDED = torch.tensor([[1, 1, 1, 1, 0], [1, 1, 1, 0, 0]]).bool()
ORDINARY = torch.tensor([[0, 1, 1, 0, 0], [0, 1, 0, 0, 0]]).bool()


@pytest.fixture
def hidden():
    return torch.arange(30, dtype=torch.float32).reshape(2, 5, 3) ** 1.5


def test_mean_leaves_special_tokens_out(hidden):
    expected = torch.stack([hidden[0, 1:3].mean(0), hidden[1, 1]])
    torch.testing.assert_close(pool.mean(hidden, ATTENDED, ORDINARY), expected)


def test_published_keeps_special_tokens(hidden):
    expected = torch.stack([hidden[0, :4].mean(0), hidden[1, :3].mean(0)])
    torch.testing.assert_close(pool.published(hidden, ATTENDED, ORDINARY), expected)


def test_weighted_counts_ordinary_positions_from_one(hidden):
    expected = torch.stack([(hidden[0, 1] + 2 * hidden[0, 2]) / 3, hidden[1, 1]])
    torch.testing.assert_close(pool.weighted(hidden, ATTENDED, ORDINARY), expected)


def test_last_and_first_go_by_mask(hidden):
    torch.testing.assert_close(pool.last(hidden, ATTENDED, ORDINARY), torch.stack([hidden[0, 2], hidden[1, 1]]))
    torch.testing.assert_close(pool.first(hidden, ATTENDED, ORDINARY), hidden[:, 0])


@pytest.mark.parametrize("function", [pool.mean, pool.published, pool.weighted, pool.last, pool.first])
def test_padding_may_hold_nan(hidden, function):
    clean = function(hidden, ATTENDED, ORDINARY)
    dirty = torch.where(ATTENDED[..., None], hidden, float("nan"))
    torch.testing.assert_close(function(dirty, ATTENDED, ORDINARY), clean)


@pytest.mark.parametrize("function", [pool.mean, pool.published, pool.weighted, pool.last, pool.first])
def test_low_precision_is_pooled_in_float32(hidden, function):
    low = hidden.to(torch.bfloat16)
    pooled = function(low, ATTENDED, ORDINARY)
    assert pooled.dtype == torch.float32
    torch.testing.assert_close(pooled, function(low.float(), ATTENDED, ORDINARY))


@pytest.mark.parametrize(
    ("function", "got"),
    [
        (lambda h, a, o: h.mean(dim=(1, 2))[:, None], r"\(2, 3\), but got torch.float32 of shape \(2, 1\)"),
        (lambda h, a, o: h.mean(dim=(0, 1)), r"torch.float32 of shape \(3,\)"),
        (lambda h, a, o: h, r"of shape \(2, 5, 3\)"),
        (lambda h, a, o: h.bfloat16().mean(dim=1), r"torch.bfloat16 of shape .* call .float\(\)"),
        (lambda h, a, o: None, "NoneType"),
        ("mean", "to be a function of .* but got 'mean'"),
    ],
)
def test_what_is_no_vector_per_sentence_is_refused(hidden, function, got):
    with pytest.raises(ValueError, match=f"Expected argument `pool` .*{got}"):
        pool.pooled(function, hidden, ATTENDED, ORDINARY)
