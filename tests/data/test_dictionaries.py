import pytest

from babelscope.data.dictionaries import LAYOUTS, read_dictionary


def write(folder, text):
    file = folder / "en-de.txt"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


@pytest.mark.parametrize("separator", ["\t", " ", "  "])
def test_muse_has_tabs_or_spaces(separator, tmp_path):
    file = write(tmp_path, f"cat{separator}Katze\r\ncat{separator}Kater\ndog{separator}Hund")
    assert read_dictionary(file) == {"cat": {"Katze", "Kater"}, "dog": {"Hund"}}


def test_xling_eval_has_tabs_alone(tmp_path):
    file = write(tmp_path, "Widmung\tomistautuminen\nNew York\tNew York\n")
    found = read_dictionary(file, layout="xling-eval")
    assert found == {"Widmung": {"omistautuminen"}, "New York": {"New York"}}


def test_panlex_may_have_scores(tmp_path):
    file = write(tmp_path, "котка\tgat\nкуче\tgos\t0.75\nкон\tcavall\t9\n")
    assert read_dictionary(file, layout="panlex") == {"котка": {"gat"}, "куче": {"gos"}, "кон": {"cavall"}}


@pytest.mark.parametrize(
    ("layout", "text", "line"),
    [
        ("muse", "cat Katze\ncat\n", 2),
        ("muse", "a b c\n", 1),
        ("muse", "cat Katze\n\ndog Hund\n", 2),
        ("xling-eval", "a\tb\nc d\n", 2),
        ("xling-eval", "a\t\n", 1),
        ("xling-eval", "a\tb\t0.5\n", 1),
        ("panlex", "a\tb\tc\n", 1),
    ],
)
def test_a_line_in_another_layout_is_named(layout, text, line, tmp_path):
    with pytest.raises(ValueError, match=rf"layout {layout}, but got .* line {line}; correct") as caught:
        read_dictionary(write(tmp_path, text), layout=layout)
    assert "\n" not in str(caught.value)


def test_other_mistakes_are_named(tmp_path):
    with pytest.raises(ValueError, match=f"one of {', '.join(LAYOUTS)}, but got 'csv'"):
        read_dictionary(write(tmp_path, "a b"), layout="csv")
    with pytest.raises(ValueError, match="is empty"):
        read_dictionary(write(tmp_path, ""))
    with pytest.raises(ValueError, match=r"byte 0xff in .*, line 2"):
        read_dictionary(write(tmp_path, b"a b\n\xff c\n"))
    with pytest.raises(FileNotFoundError, match="found none at"):
        read_dictionary(tmp_path / "none.txt")
