import bz2
import gzip
import lzma
import zipfile

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


@pytest.mark.parametrize("kind", ["gzip", "zip", "xz", "bzip2", "zstd"])
def test_compressed_files_are_called_so(tmp_path, kind):
    path = tmp_path / "a.txt"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("b.txt", "one\n")  # not even compressed, and so valid UTF-8 for the most part
    else:
        ways = {"gzip": gzip.compress, "xz": lzma.compress, "bzip2": bz2.compress}
        path.write_bytes(ways[kind](b"one\n") if kind in ways else bytes.fromhex("28b52ffd2004210000") + b"one\n")
    with pytest.raises(ValueError, match=rf"a\.txt is compressed by {kind}; decompress it first$") as told:
        read_lines(path)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("text", ["BZh9 is a name\n", "PK\n", "7zXZ\n", ""])
def test_text_that_begins_like_a_compressed_file_is_read(tmp_path, text):
    (tmp_path / "a.txt").write_text(text)
    assert read_lines(tmp_path / "a.txt") == text.splitlines()


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
