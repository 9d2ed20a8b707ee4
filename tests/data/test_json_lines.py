import pytest

from babelscope.data.json_lines import read_json_lines


def test_objects_in_order(tmp_path):
    file = tmp_path / "rows.jsonl"
    file.write_text('{"a": "ä\u2028"}\r\n\n{"a": 2}', encoding="utf-8")
    assert read_json_lines(file) == [{"a": "ä\u2028"}, {"a": 2}]


@pytest.mark.parametrize(
    ("content", "words"),
    [("", "is empty"), ("{}\n{oh}", "line 2 is not"), ("{}\n7", r"got '7' in .*, line 2")],
    ids=["empty", "torn", "number"],
)
def test_what_is_no_object(tmp_path, content, words):
    file = tmp_path / "rows.jsonl"
    file.write_text(content)
    with pytest.raises(ValueError, match=words):
        read_json_lines(file)
