import pytest

from babelscope.sweeps.complaints import last_complaint


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ""),
        ("Training\nnot babelscope: this\n", ""),
        ("babelscope: Expected x.\nsrun: error", "Expected x."),
        ("babelscope: [seed=1] Expected x.\n", "Expected x."),
        ("babelscope: first\nbabelscope: [seed=1] second", "second"),
        ("babelscope: [seed=2] of another", "[seed=2] of another"),
    ],
)
def test_the_last_line_that_says_what_went_wrong_counts(text, said):
    assert last_complaint(text, "seed=1") == said
