import pytest

from babelscope.data.reading import check_languages, find_folder, read_lines, read_sentences


def test_read_lines_removes_mark_and_carriage_returns_only(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("\ufeffein\u2028 Satz\r\nzwei\x85 \r\ndrei".encode())
    assert read_lines(path) == ["ein\u2028 Satz", "zwei\x85 ", "drei"]
    path.write_bytes(b"")
    assert read_lines(path) == []


def test_invalid_utf8_names_the_line(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"one\ntwo\nthr\xe9e\n")
    with pytest.raises(ValueError, match=r"byte 0xe9 in .*a\.txt, line 3; convert"):
        read_lines(tmp_path / "a.txt")


def test_empty_line_names_the_line(tmp_path):
    (tmp_path / "a.txt").write_text("one\n \nthree\n")
    with pytest.raises(ValueError, match=r"a\.txt, line 2 is empty"):
        read_sentences(tmp_path / "a.txt")


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none at .*b\.txt"):
        read_lines(tmp_path / "b.txt")
    with pytest.raises(FileNotFoundError, match=r"`corpus\.folder`"):
        find_folder(tmp_path / "nowhere")


def test_find_folder_takes_the_first_that_is_there(tmp_path):
    (tmp_path / "data" / "annotated").mkdir(parents=True)
    for folder in (tmp_path, tmp_path / "data", tmp_path / "data" / "annotated"):
        assert find_folder(folder, "data/annotated", "annotated") == tmp_path / "data" / "annotated"


@pytest.mark.parametrize(
    ("languages", "message"),
    [
        (["eng_Latin"], "nearest: eng_Latn"),
        ("eng_Latn", "a list of FLORES codes"),
        ([], "a list of FLORES codes"),
        (None, "a list of FLORES codes"),
        ([1, 2], "a list of FLORES codes"),
        (["eng_Latn", "eng_Latn"], "eng_Latn twice"),
    ],
)
def test_languages_that_cannot_be_read(languages, message):
    with pytest.raises(ValueError, match=message):
        check_languages(languages, ["eng_Latn", "zho_Hans"], place="here")
