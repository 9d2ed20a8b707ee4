import pytest

from babelscope.analyses.downstream.published_files import published_paths, read_published

FILES = {"test": "{name}/test.{name}.jsonl"}


def test_rows_in_order(tmp_path):
    (tmp_path / "sw").mkdir()
    (tmp_path / "sw" / "test.sw.jsonl").write_text(
        '{"premise": "Mvua.", "label": 1}\n\n{"premise": "Jua.", "label": 0}\n'
    )
    found = read_published(published_paths("xcopa_sw", "sw", FILES, tmp_path))(version=1.0)
    assert found["test"].to_list() == [{"premise": "Mvua.", "label": 1}, {"premise": "Jua.", "label": 0}]


def test_what_is_missing(tmp_path):
    with pytest.raises(
        ValueError, match=r"{name}/test.{name}.jsonl as published, but 'xcopa_sw' finds no .*test.sw.jsonl"
    ):
        published_paths("xcopa_sw", "sw", FILES, tmp_path)
    with pytest.raises(ValueError, match=r"harness=xcopa, but got .* for 'xnli_sw'"):
        published_paths("xnli_sw", "sw", {}, tmp_path)


@pytest.mark.parametrize(("label", "is_odd"), [('"1"', True), ("true", True), ("[1]", True), ("1.5", False)])
def test_a_row_of_another_kind_is_named_with_its_file(tmp_path, label, is_odd):
    file = tmp_path / "test.jsonl"
    file.write_text(f'{{"a": null, "label": 0}}\n{{"a": "b", "label": 0}}\n{{"a": "b", "label": {label}}}\n')
    if not is_odd:
        assert read_published({"test": file})()["test"]["label"][2] == 1.5
        return
    with pytest.raises(ValueError, match=r"the same kind of 'label', but got .* in row 3 and 0 in row 1") as told:
        read_published({"test": file})
    assert str(file) in str(told.value)
