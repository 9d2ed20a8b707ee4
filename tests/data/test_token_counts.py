from collections import Counter

import pytest

from babelscope.data.token_counts import BATCH, count_tokens, read_counts
from tests.models.tiny import tiny_tokenizer


@pytest.mark.parametrize("copies", [1, BATCH])
def test_tokens_are_counted_over_all_texts_without_those_that_are_added(copies):
    tokenizer, texts = tiny_tokenizer(), ["Wir lesen.", "Wir lesen Wir", "x" * 3000]
    counts = count_tokens(texts * copies, tokenizer, len(tokenizer))
    expected = Counter(token for text in texts for token in tokenizer.encode(text)[1:-1])
    assert counts == [copies * expected[token] for token in range(len(tokenizer))]


def test_a_file_gives_counts_by_id_and_none_to_others(tmp_path):
    (tmp_path / "counts.tsv").write_text("2\t7\n0\t1\n")
    assert read_counts(tmp_path / "counts.tsv", 4) == [1, 0, 7, 0]


@pytest.mark.parametrize("line", ["4\t1", "a\t1", "1 1", "1\t", "-1\t2"])
def test_a_line_that_is_no_count_is_named(line, tmp_path):
    (tmp_path / "counts.tsv").write_text(f"0\t1\n{line}\n")
    with pytest.raises(ValueError, match=r"token id below 4, a tab and a count, .* line 2; correct `counts`"):
        read_counts(tmp_path / "counts.tsv", 4)
