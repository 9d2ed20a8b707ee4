import json

import datasets
import pytest

from babelscope.data import tagged

NAMES = ["O", "B-PER", "I-PER"]
SENTENCES = [(["Ada", "Lovelace", "ran"], [1, 2, 0]), (["Nobody"], [0]), (["I", "saw", "Ada"], [0, 0, 1])]
ADA = (("Ada", "Lovelace", "ran"), ("Nobody",), ("I", "saw", "Ada"))
TAGS = (("B-PER", "I-PER", "O"), ("O",), ("O", "O", "B-PER"))


@pytest.fixture
def saved(tmp_path):
    """The same sentences in every format, as `datasets` and others write them."""
    label = datasets.ClassLabel(names=NAMES)
    features = datasets.Features({"tokens": datasets.List(datasets.Value("string")), "ner_tags": datasets.List(label)})
    columns = {"tokens": [words for words, _ in SENTENCES], "ner_tags": [tags for _, tags in SENTENCES]}
    found = datasets.Dataset.from_dict(columns, features=features)
    (tmp_path / "arrow" / "eng").mkdir(parents=True)
    found.save_to_disk(str(tmp_path / "arrow" / "eng" / "train"))
    found.to_parquet(str(tmp_path / "eng.train.parquet"))
    rows = [{"words": words, "tags": [NAMES[tag] for tag in tags]} for words, tags in SENTENCES]
    (tmp_path / "eng.train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    numbered = [{"tokens": words, "upos": tags} for words, tags in SENTENCES]
    (tmp_path / "eng.numbers.json").write_text(json.dumps(numbered))
    lines = ["\n".join(f"{w}\t{NAMES[t]}" for w, t in zip(*sentence, strict=True)) for sentence in SENTENCES]
    (tmp_path / "eng.train.txt").write_text("\n\n".join(lines))
    return tmp_path


@pytest.mark.parametrize(
    "file",
    [
        "arrow/{language}/{split}",
        "ar*/{language}/{split}",
        "{language}.{split}.parquet",
        "{language}.{split}.jsonl",
        "e*.{split}.txt",
    ],
)
def test_every_format_gives_the_same(file, saved):
    found = tagged(["eng_Latn"], "train", file=saved / file).examples("eng_Latn")
    assert (found.words, found.tags) == (ADA, TAGS)
    assert found.texts == ("Ada Lovelace ran", "Nobody", "I saw Ada")
    assert found.ids == ("train-1", "train-2", "train-3")
    assert found.labels is found.seconds is None


def test_numbers_of_tags_get_names_where_some_are_given(saved):
    given = {"file": saved / "{language}.{split}.json", "split": "numbers"}
    assert tagged(["eng_Latn"], **given).examples("eng_Latn").tags == (("1", "2", "0"), ("0",), ("0", "0", "1"))
    assert tagged(["eng_Latn"], **given, names=NAMES).examples("eng_Latn").tags == TAGS
    with pytest.raises(ValueError, match=r"numbers below 2, .*but got '2' in .*numbers\.json"):
        tagged(["eng_Latn"], **given, names=NAMES[:2])


def test_universal_dependencies_as_they_are_unpacked(tmp_path):
    filler = 6 * "\t_" + "\n"
    for tree, short in (("German-GSD", "de_gsd"), ("German-HDT", "de_hdt"), ("Tamil-TTB", "ta_ttb")):
        folder = tmp_path / f"UD_{tree}"
        folder.mkdir()
        for part in ("train", "dev"):
            (folder / f"{short}-ud-{part}.conllu").write_text(
                "".join(f"{i}\t{word}\t_\tX{filler}" for i, word in enumerate((short, part), start=1))
            )
    file = tmp_path / "UD_*" / "{language}-ud-{split}.conllu"
    codes = {"deu_Latn": "de_gsd", "tam_Taml": "ta_ttb"}
    found = tagged(["deu_Latn", "tam_Taml"], "validation", file=file, codes=codes)
    assert found.texts == {"deu_Latn": ("de_gsd dev",), "tam_Taml": ("ta_ttb dev",)}
    several = tmp_path / "UD_German-*" / "de_*-ud-{split}.conllu"
    with pytest.raises(ValueError, match=r"Expected one file at .*UD_German-\*.*but found 2, such as .*gsd.* and "):
        tagged(["deu_Latn"], "train", file=several)


def test_one_file_is_cut_into_splits_that_share_no_sentence(tmp_path):
    (tmp_path / "all.txt").write_text("\n\n".join(f"w{i} X\nv Y" for i in range(20)))
    read = {part: tagged(["eng_Latn"], part, file=tmp_path / "all.txt") for part in ("train", "dev", "test")}
    texts = {part: set(found.texts["eng_Latn"]) for part, found in read.items()}
    assert {part: len(found) for part, found in texts.items()} == {"train": 14, "dev": 2, "test": 4}
    assert len(set().union(*texts.values())) == 20


def test_a_subset_keeps_words_and_tags_together(saved):
    whole = tagged(["eng_Latn"], "train", file=saved / "{language}.{split}.jsonl")
    few = whole.subset(2, seed=1)
    kept = [whole.examples("eng_Latn").ids.index(key) for key in few.examples("eng_Latn").ids]
    assert few.examples("eng_Latn").words == tuple(ADA[i] for i in kept)
    assert few.examples("eng_Latn").tags == tuple(TAGS[i] for i in kept)
    assert few.fingerprint() != whole.fingerprint()
    lines = saved / "eng.train.jsonl"
    lines.write_text(lines.read_text().replace("I-PER", "I-LOC"))
    assert tagged(["eng_Latn"], "train", file=lines.with_name("{language}.{split}.jsonl")).fingerprint() != (
        whole.fingerprint()
    )


@pytest.mark.parametrize("name", ["eng.train", "eng/train"])
def test_files_have_the_names_that_their_authors_gave_them(name, tmp_path):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("en:Ada B-PER\nen:ran O\n")
    file = tmp_path / name.replace("eng", "{language}").replace("train", "{split}")
    assert tagged(["eng_Latn"], "train", file=file).texts == {"eng_Latn": ("Ada ran",)}


@pytest.mark.parametrize("names", ["OBI", 3, [0, 1, 2], ["O", "B-PER", None]])
def test_names_of_tags_are_a_list_of_names(names, saved):
    with pytest.raises(ValueError, match=r"Expected `task\.corpus\.names` to be a list of names of tags, but got"):
        tagged(["eng_Latn"], "numbers", file=saved / "{language}.{split}.json", names=names)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"tokens": ["a", "b"], "tags": ["X"]}, r"lists of words as 'tokens' and of as many tags as 'tags'.*row 1"),
        ({"tokens": "a b", "tags": "X Y"}, r"but got 'a b' and 'X Y' in .*row 1; correct it"),
        ({"tokens": ["a", " "], "tags": ["X", "Y"]}, r"but got \['a', ' '\]"),
        ({"tokens": ["a"], "tags": [None]}, r"Expected names of tags, but got None in .*row 1"),
        ({"tokens": ["a"], "tag": ["X"]}, r"column of tags to be one of tags, ner_tags, .* has tokens, tag; set task"),
        ({"tokens": [], "tags": []}, r"lists of words"),
        ({"tokens": ["a"], "tags": [True]}, r"Expected names of tags, but got True"),
    ],
)
def test_rows_that_are_no_tagged_words_are_named(row, message, tmp_path):
    (tmp_path / "x.jsonl").write_text(json.dumps(row))
    with pytest.raises(ValueError, match=message):
        tagged(["eng_Latn"], "all", file=tmp_path / "x.jsonl")


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (None, r"`task\.corpus\.file` to be a file of tagged words, but got None"),
        ("x.csv", r"format with lists .*x\.csv; convert it"),
        ("x.txt", r"\{language\} in `task\.corpus\.file` to read 2 languages"),
    ],
)
def test_files_of_other_kinds_are_refused(file, message, tmp_path):
    (tmp_path / "x.csv").write_text("tokens,tags\na,b\n")
    languages = ["eng_Latn", "deu_Latn"] if file == "x.txt" else ["eng_Latn"]
    with pytest.raises(ValueError, match=message):
        tagged(languages, "all", file=file and tmp_path / file)
