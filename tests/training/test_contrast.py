import math

import pytest
import torch

from babelscope.training.contrast import info_nce


def naive(a, b, temperature):
    def cosine(x, y):
        dot = sum(p * q for p, q in zip(x, y, strict=True))
        return dot / math.sqrt(sum(p * p for p in x)) / math.sqrt(sum(q * q for q in y))

    total = 0.0
    for one, other in ((a, b), (b, a)):
        for i, x in enumerate(one):
            chances = [math.exp(cosine(x, y) / temperature) for y in other]
            total -= math.log(chances[i] / sum(chances)) / len(a) / 2
    return total


@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_info_nce_is_its_formula(temperature):
    a, b = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0))
    expected = naive(a.double().tolist(), b.double().tolist(), temperature)
    assert float(info_nce(a, b, temperature=temperature)) == pytest.approx(expected, rel=1e-5)
    assert float(info_nce(b, a, temperature=temperature)) == pytest.approx(expected, rel=1e-5)
    assert float(info_nce(3 * a, b / 2, temperature=temperature)) == pytest.approx(expected, rel=1e-5)


def test_info_nce_knows_translations_from_strangers():
    a = torch.eye(4)
    assert float(info_nce(a, a)) < 1e-3 < math.log(4) < float(info_nce(a, a.roll(1, dims=0)))


def test_info_nce_of_equal_sentences_is_chance_and_in_float32():
    a = torch.ones(4, 2, dtype=torch.bfloat16)
    assert info_nce(a, a).dtype == torch.float32
    assert float(info_nce(a, a)) == pytest.approx(math.log(4))


def test_distances_are_float32_under_autocast():
    g = torch.Generator().manual_seed(0)
    a, b = torch.randn(8, 32, generator=g), torch.randn(8, 32, generator=g)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = info_nce(a, b)
    assert mixed.dtype == torch.float32
    assert mixed.item() == info_nce(a, b).item()
