import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from babelscope.data.objectives import IGNORED
from babelscope.training.span_f1 import SpanF1, marks_spans, spans

TAGS = ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")


def scored(said, right, tags=TAGS):
    metric = SpanF1(tags)
    metric.update(*(torch.tensor([[tags.index(tag) for tag in one.split()]]) for one in (said, right)))
    return float(metric.compute())


@pytest.mark.parametrize(
    ("tags", "found"),
    [
        ("O B-PER I-PER O B-LOC", [(1, 3, "PER"), (4, 5, "LOC")]),
        ("B-PER B-PER I-PER", [(0, 1, "PER"), (1, 3, "PER")]),
        ("I-PER I-LOC I-LOC O I-LOC", [(0, 1, "PER"), (1, 3, "LOC"), (4, 5, "LOC")]),
        ("B-PER I-LOC", [(0, 1, "PER"), (1, 2, "LOC")]),
        ("B-PER I-PER E-PER S-PER S-LOC O", [(0, 3, "PER"), (3, 4, "PER"), (4, 5, "LOC")]),
        ("B-PER L-PER U-LOC I-LOC", [(0, 2, "PER"), (2, 3, "LOC"), (3, 4, "LOC")]),
        ("B-a-b I-a-b", [(0, 2, "a-b")]),
        ("O O", []),
        ("B I O B B", [(0, 2, ""), (3, 4, ""), (4, 5, "")]),
        ("I-PER S-PER I-PER U-PER", [(0, 1, "PER"), (1, 2, "PER"), (2, 3, "PER"), (3, 4, "PER")]),
    ],
)
def test_spans(tags, found):
    assert list(spans(tags.split())) == found


@given(st.lists(st.tuples(st.sampled_from(["LOC", "PER", ""]), st.integers(1, 4)), max_size=12))
def test_spans_that_were_written_are_read(parts):
    tags, wanted = [], []
    for kind, length in parts:
        if kind:
            wanted.append((len(tags), len(tags) + length, kind))
        tags += [f"B-{kind}", *[f"I-{kind}"] * (length - 1)] if kind else ["O"] * length
    assert list(spans(tags)) == wanted
    text = "".join({"O": "o", "B": tag[2:].lower()[:1], "I": "i"}[tag[0]] for tag in tags)
    assert [match.span() for match in re.finditer("[lp]i*", text)] == [found[:2] for found in wanted]


def test_f1_by_hand():
    assert scored("B-PER I-PER O B-LOC", "B-PER I-PER O B-LOC") == 1
    # one of two found is right, and one of two wanted is found
    assert scored("B-PER I-PER O B-LOC", "B-PER I-PER O B-PER") == pytest.approx(0.5)
    # a part of a name is no name: precision 0 of 1, recall 0 of 1
    assert scored("B-PER O", "B-PER I-PER") == 0
    # 1 of 1 found, 1 of 3 wanted: 2 * 1 * (1/3) / (4/3)
    assert scored("B-PER O O O", "B-PER B-LOC O B-LOC") == pytest.approx(0.5)
    assert scored("O O", "O O") == 0


def test_counts_add_over_batches_and_what_is_no_word_is_left_out():
    g = torch.Generator().manual_seed(0)
    said, right = (torch.randint(len(TAGS), (6, 9), generator=g) for _ in range(2))
    whole, parts = SpanF1(TAGS), SpanF1(TAGS)
    whole.update(said, right)
    for one, other in zip(said.split(2), right.split(2), strict=True):
        # tokens inside of words, with any prediction
        wide = [torch.full((2, 18), 1), torch.full((2, 18), IGNORED)]
        wide[0][:, ::2], wide[1][:, ::2] = one, other
        parts.update(*wide)
    assert float(whole.compute()) == float(parts.compute()) > 0
    assert int(whole.wanted) == int(parts.wanted)


@pytest.mark.parametrize(
    ("tags", "marks"),
    [
        (TAGS, True),
        (("B-PER", "I-PER"), True),
        (("O", "S-PER", "U-x"), True),
        (("NOUN", "VERB"), False),
        (("O", "NOUN"), False),
        (("O", "B", "I"), True),
        (("O", "B-PER", "B-"), False),
        (("O", "B-PER", "PAD"), False),
        (("O", "O-PER"), False),
        (("O",), False),
        ((), False),
    ],
)
def test_which_tags_mark_spans(tags, marks):
    assert marks_spans(tags) is marks
