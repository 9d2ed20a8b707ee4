import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from babelscope.data.loaders import flores, lines, sib200
from babelscope.data.xnli import xnli

ILO31 = (
    "swe_Latn nld_Latn bjn_Latn jav_Latn tgl_Latn ind_Latn rus_Cyrl ces_Latn dan_Latn eng_Latn ukr_Cyrl tel_Telu "
    "srp_Cyrl fra_Latn tha_Thai ban_Latn zho_Hans deu_Latn sun_Latn hin_Deva pol_Latn slv_Latn yue_Hant sin_Sinh "
    "spa_Latn urd_Arab gle_Latn swh_Latn ben_Beng jpn_Jpan min_Latn"
)
CODES = ["eng_Latn", "zho_Hans"]
REAL = Path(__file__).parents[3] / "shared" / "data" / "sib200"


@pytest.fixture
def sib(tmp_path):
    for code in CODES:
        for split, ids in {"train": (5, 3), "dev": (7,), "test": (9, 5)}.items():
            path = tmp_path / "data" / "annotated" / code / f"{split}.tsv"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("index_id\tcategory\ttext\n" + "".join(f"{i}\tt{i}\t{code} {i}\n" for i in ids))
    return tmp_path


def test_sib200_reads_from_any_of_its_folders(sib):
    for folder in (sib, sib / "data", str(sib / "data" / "annotated")):
        corpus = sib200(CODES, "train+test", folder=folder)
        assert corpus.ids == ("train-5", "train-3", "test-9", "test-5")
        assert corpus.labels == ("t5", "t3", "t9", "t5")
        assert corpus.texts["zho_Hans"][1] == "zho_Hans 3"
    assert len(sib200(CODES, "all", folder=sib)) == 5


def test_sib200_names_what_is_wrong(sib):
    with pytest.raises(ValueError, match=r"among the 2 of .*annotated, but got 'zho_Hant'; nearest: zho_Hans"):
        sib200(["zho_Hant"], "dev", folder=sib)
    (sib / "data" / "annotated" / "zho_Hans" / "dev.tsv").unlink()
    with pytest.raises(FileNotFoundError, match=r"zho_Hans/dev\.tsv"):
        sib200(CODES, "dev", folder=sib)
    with pytest.raises(FileNotFoundError, match="found none"):
        sib200(CODES, "dev", folder=sib / "data" / "annotated" / "zho_Hans")


@pytest.fixture
def flores_folder(tmp_path):
    for split, count in {"dev": 3, "devtest": 2}.items():
        (tmp_path / split).mkdir()
        for code in CODES:
            (tmp_path / split / f"{code}.{split}").write_text("".join(f"{code} {i}\n" for i in range(count)))
    return tmp_path


def test_flores_reads_its_two_splits(flores_folder):
    corpus = flores(CODES, "dev+test", folder=flores_folder)
    assert corpus.ids == ("dev-1", "dev-2", "dev-3", "devtest-1", "devtest-2")
    assert corpus.texts["zho_Hans"][-1] == "zho_Hans 1"
    assert corpus.labels is None
    assert flores(CODES, "all", folder=flores_folder) == corpus


def test_flores_reads_the_codes_of_flores101(flores_folder):
    (flores_folder / "dev" / "deu.dev").write_text("a\nb\nc\n")
    assert flores(["deu_Latn"], "dev", folder=flores_folder).texts == {"deu_Latn": ("a", "b", "c")}


@pytest.mark.parametrize("split", ["train", "train+dev", "dev + train"])
def test_flores_has_no_training_split(flores_folder, split):
    with pytest.raises(ValueError, match=r"no training split, give task\.corpus another"):
        flores(CODES, split, folder=flores_folder)


def test_flores_names_what_is_wrong(flores_folder):
    path = flores_folder / "dev" / "zho_Hans.dev"
    path.write_text("one\ntwo\n")
    with pytest.raises(ValueError, match=r"zho_Hans\.dev has 2 and .*eng_Latn\.dev has 3"):
        flores(CODES, "dev", folder=flores_folder)
    path.write_text("one\n\nthree\n")
    with pytest.raises(ValueError, match=r"zho_Hans\.dev, line 2 is empty"):
        flores(CODES, "dev", folder=flores_folder)
    with pytest.raises(ValueError, match="got 'zho_Hant'; nearest: zho_Hans"):
        flores(["eng_Latn", "zho_Hant"], "dev", folder=flores_folder)


@pytest.fixture
def news(tmp_path):
    for code in ("eng", "zho-CN", "srp-Cyrl"):
        (tmp_path / f"news[1]-ref.{code}.txt").write_text("".join(f"{code} {i}\n" for i in range(20)))
    (tmp_path / "topics").write_text("".join(f"t{i}\n" for i in range(20)))
    return tmp_path


PATTERN = "news[1]-ref.{language}.txt"


def test_lines_finds_files_and_cuts_splits(news):
    codes, languages = {"zho_Hans": "zho-CN"}, ["eng_Latn", "zho_Hans", "srp_Cyrl"]
    whole = lines(languages, "all", folder=news, pattern=PATTERN, codes=codes, labels="topics", name="news")
    assert whole.name == "news"
    assert whole.languages == tuple(languages)
    assert whole.texts["zho_Hans"][3] == "zho-CN 3"
    parts = [lines(["eng_Latn"], s, folder=news, pattern=PATTERN, labels="topics") for s in ("train", "dev", "test")]
    assert [len(part) for part in parts] == [14, 2, 4]
    assert sum((part.ids for part in parts), ()) == whole.ids
    assert parts[2].labels == ("t16", "t17", "t18", "t19")


def test_lines_reads_folders_of_languages(tmp_path):
    (tmp_path / "eng_Latn").mkdir()
    (tmp_path / "eng_Latn" / "text.txt").write_text("a\nb\n")
    (tmp_path / "eng_Latn" / "eng_Latn.txt").write_text("a\nb\nc\n")
    assert len(lines(["eng_Latn"], "all", folder=tmp_path, pattern="{language}/text.txt")) == 2
    assert len(lines(["eng_Latn"], "all", folder=tmp_path, pattern="{language}/{language}.txt")) == 3


@pytest.mark.parametrize(
    ("options", "languages", "message"),
    [
        ({"pattern": "news.txt"}, ["eng_Latn"], "to have {language}"),
        ({"folder": None}, ["eng_Latn"], "`corpus.folder`"),
        ({}, ["deu_Latn"], "got 'deu_Latn'; nearest: "),
        ({"codes": {"eng_Latn": "en"}}, ["eng_Latn"], "got 'en'; nearest: eng"),
        ({}, ["eng_Latn", "eng_Dsrt"], "eng_Latn and eng_Dsrt share 'eng'.*'corpus.codes={eng_Dsrt:NAME}'"),
        ({"codes": ["eng"]}, ["eng_Latn"], r"`corpus.codes` to be null or names .*, but got \['eng'\]"),
        ({"split": "devtest"}, ["eng_Latn"], "`split` of corpus lines"),
        ({"labels": "few"}, ["eng_Latn"], "1 labels for 20 lines"),
    ],
)
def test_lines_names_what_is_wrong(news, options, languages, message):
    (news / "few").write_text("t\n")
    with pytest.raises(ValueError, match=message):
        lines(languages, **{"split": "all", "folder": news, "pattern": PATTERN, **options})


def test_small_files_without_a_dev_part_are_refused(tmp_path):
    (tmp_path / "eng_Latn.txt").write_text("a\nb\n")
    with pytest.raises(ValueError, match="to have sentences"):
        lines(["eng_Latn"], "dev", folder=tmp_path)


def test_hub_data_sets_are_read_by_their_own_names(monkeypatch):
    asked = []

    def load_dataset(name, config, *, split):
        asked.append((name, config, split))
        return [{"id": 2, "index_id": 2, "category": "travel", "text": f"{config} two"}]

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
    assert sib200(["eng_Latn"], "dev").ids == ("dev-2",)
    corpus = flores(CODES, "test")
    assert corpus.texts["zho_Hans"] == ("cmn_Hans two",)
    assert corpus.labels is None
    assert asked == [
        ("Davlan/sib200", "eng_Latn", "validation"),
        ("openlanguagedata/flores_plus", "eng_Latn", "devtest"),
        ("openlanguagedata/flores_plus", "cmn_Hans", "devtest"),
    ]


@pytest.mark.parametrize("kind", [ConnectionError, ValueError])
def test_an_unreachable_hub_is_one_line(monkeypatch, kind):
    def load_dataset(*_, **__):
        raise kind("no network\nat all")

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
    for read, key in ((sib200, "corpus"), (xnli, "task.corpus")):
        with pytest.raises(OSError, match=f"{kind.__name__}: no network; .* as {key}.folder$") as error:
            read(["eng_Latn"], "dev")
        assert "\n" not in str(error.value)


@pytest.mark.skipif(not REAL.is_dir(), reason="SIB-200 is not here")
def test_real_sib200():
    everything = sorted(path.name for path in (REAL / "data" / "annotated").iterdir())
    assert set(ILO31.split()) <= set(everything)
    assert len(ILO31.split()) == len(set(ILO31.split())) == 31
    for split, count in {"train": 701, "dev": 99, "test": 204, "dev+test": 303, "all": 1004}.items():
        corpus = sib200(everything, split, folder=REAL)
        assert len(corpus) == count
        assert len(corpus.languages) == 41
        assert len(set(corpus.labels or ())) == 7
    english = corpus.texts["eng_Latn"]
    assert not any(text.startswith('"""') or '""' in text for text in english)
