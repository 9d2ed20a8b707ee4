import pytest

from babelscope.data.patterns import names_in


@pytest.fixture
def folder(tmp_path):
    for path in ("en/en.txt", "de/de.txt", "de/en.txt", "a[1].en.train.tsv", "a[1].de.dev.tsv", "a1.fr.dev.tsv"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("pattern", "others", "names"),
    [
        ("{language}/en.txt", (), ["de", "en"]),
        ("{language}/{language}.txt", (), ["de", "en"]),
        ("en/{language}.txt", (), ["en"]),
        ("a[1].{language}.train.tsv", (), ["en"]),
        ("a[1].{language}.{split}.tsv", (), []),
        ("a[1].{language}.{split}.tsv", ("split",), ["de", "en"]),
        ("{split}/{language}.txt", ("split",), ["de", "en"]),
        ("none.{language}", (), []),
    ],
)
def test_names_of_existing_paths(folder, pattern, others, names):
    assert names_in(folder / pattern, "language", others=others) == names
    assert names_in(f"{folder}/{pattern}", "language", others=others) == names
