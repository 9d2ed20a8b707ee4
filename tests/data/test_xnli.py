import pytest

from babelscope.data import xnli as module
from babelscope.data.xnli import LABELS, LANGUAGES, xnli

HEADER = [
    *("language", "gold_label", "sentence1_binary_parse", "sentence2_binary_parse", "sentence1_parse"),
    *("sentence2_parse", "sentence1", "sentence2", "promptID", "pairID", "genre", "label1", "label2", "label3"),
    *("label4", "label5", "sentence1_tokenized", "sentence2_tokenized", "match"),
]
"""Of xnli.dev.tsv and xnli.test.tsv, as published."""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "XNLI-1.0").mkdir()
    (tmp_path / "XNLI-MT-1.0" / "multinli").mkdir(parents=True)
    lines = ["\t".join(HEADER)]
    for code in ("ar", "en", "sw", "zh"):
        for i, label in enumerate(LABELS):
            cells = dict.fromkeys(HEADER, "")
            cells |= {
                "language": code,
                "gold_label": label,
                "sentence1": f'"{code}" 1 {i}',
                "sentence2": f"{code} 2 {i}",
            }
            lines.append("\t".join(cells.values()))
    for part in ("dev", "test"):
        (tmp_path / "XNLI-1.0" / f"xnli.{part}.tsv").write_text("\n".join(lines) + "\n")
    for code in ("en", "sw"):
        rows = [
            f"{code} p {i}\t{code} h {i}\t{label}" for i, label in enumerate(("contradictory", "neutral", "entailment"))
        ]
        text = "\n".join(["premise\thypo\tlabel", *rows]) + "\n"
        (tmp_path / "XNLI-MT-1.0" / "multinli" / f"multinli.train.{code}.tsv").write_text(text)
    return tmp_path


def test_the_published_layout(folder):
    test = xnli(["swh_Latn", "zho_Hans", "arb_Arab"], "test", folder=folder)
    assert list(test.texts) == ["swh_Latn", "zho_Hans", "arb_Arab"]
    assert test.examples("zho_Hans").texts == tuple(f'"zh" 1 {i}' for i in range(3))
    assert test.examples("zho_Hans").seconds == tuple(f"zh 2 {i}" for i in range(3))
    assert test.examples("zho_Hans").labels == LABELS
    train = xnli(["swh_Latn"], "train", folder=folder).examples("swh_Latn")
    assert train.texts[0] == "sw p 0"
    assert train.labels == ("contradiction", "neutral", "entailment")


def test_the_hub(monkeypatch):
    asked = []

    def rows(*names, key):
        asked.append(names)
        assert key == "task.corpus"
        return [{"premise": "a", "hypothesis": "b", "label": 2}]

    monkeypatch.setattr(module, "load_rows", rows)
    found = xnli(["ell_Grek", "tha_Thai"], "dev")
    assert asked == [("facebook/xnli", "el", "validation"), ("facebook/xnli", "th", "validation")]
    assert found.examples("tha_Thai").labels == ("contradiction",)


def test_the_languages_are_those_of_the_data_set():
    short = [module.SHORT[code[:3]] for code in LANGUAGES]
    assert " ".join(sorted(short)) == "ar bg de el en es fr hi ru sw th tr ur vi zh"


@pytest.mark.parametrize(
    ("languages", "split", "message"),
    [
        (["ind_Latn"], "test", "among the 15 of xnli, but got 'ind_Latn'"),
        (["eng_Latn"], "gold", "one of train, dev, test"),
        (["eng_Latn"], "dev+test", "one split of xnli, but got 'dev.test'"),
        (["deu_Latn"], "test", "rows of language de in .*xnli.test.tsv, but got none"),
        (["zho_Hans"], "train", r"a table, but found no file at .*multinli.train.zh.tsv"),
    ],
)
def test_what_is_not_there_is_named(folder, languages, split, message):
    with pytest.raises((ValueError, OSError), match=message):
        xnli(languages, split, folder=folder)


def test_another_folder_and_another_label_are_named(folder):
    with pytest.raises(FileNotFoundError, match=r"`task.corpus.folder` to be a folder"):
        xnli(["eng_Latn"], "test", folder=folder / "none")
    path = folder / "XNLI-1.0" / "xnli.test.tsv"
    path.write_text(path.read_text().replace("neutral", "-"))
    with pytest.raises(ValueError, match=r"labels entailment, neutral, contradiction in .*xnli.test.tsv, but got '-'"):
        xnli(["eng_Latn"], "test", folder=folder)
