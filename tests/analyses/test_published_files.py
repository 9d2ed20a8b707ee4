import pytest

from babelscope.analyses.published_files import read_published

FILES = {"test": "{name}/test.{name}.jsonl"}


def test_rows_in_order(tmp_path):
    (tmp_path / "sw").mkdir()
    (tmp_path / "sw" / "test.sw.jsonl").write_text(
        '{"premise": "Mvua.", "label": 1}\n\n{"premise": "Jua.", "label": 0}\n'
    )
    found = read_published("xcopa_sw", "sw", FILES, tmp_path)(version=1.0)
    assert found["test"].to_list() == [{"premise": "Mvua.", "label": 1}, {"premise": "Jua.", "label": 0}]


def test_what_is_missing(tmp_path):
    with pytest.raises(
        ValueError, match=r"{name}/test.{name}.jsonl as published, but 'xcopa_sw' finds no .*test.sw.jsonl"
    ):
        read_published("xcopa_sw", "sw", FILES, tmp_path)
    with pytest.raises(ValueError, match=r"harness=xcopa, but got .* for 'xnli_sw'"):
        read_published("xnli_sw", "sw", {}, tmp_path)
