import pytest

from babelscope.data.names import find_names

KNOWN = ("eng_Latn", "zho-Hans", "deu", "zh-TW")


def test_names_by_the_rule_and_by_hand():
    languages = ["eng_Latn", "zho_Hans", "deu_Latn", "zho_Hant"]
    assert find_names(languages, KNOWN, "here", {"zho_Hant": "zh-TW"}) == dict(zip(languages, KNOWN, strict=True))
    assert find_names(["swh_Latn", "fra_Latn"], ("sw", "fr", "fra"), "here") == {"swh_Latn": "sw", "fra_Latn": "fra"}
    assert find_names(["deu_Latn"], KNOWN, "here", {"deu_Latn": "eng_Latn"}) == {"deu_Latn": "eng_Latn"}


@pytest.mark.parametrize(
    ("languages", "codes", "message"),
    [
        (["fra_Latn"], None, "4 of here, but got 'fra_Latn'; .*give its name there by 'corpus.codes={fra_Latn:NAME}'"),
        (["deu_Latn"], {"deu_Latn": "de"}, "got 'de'; nearest: deu.*corpus.codes={deu_Latn:NAME}"),
        (["deu_Latn", "deu_Fraktur"], None, "deu_Latn and deu_Fraktur share 'deu' of here; give.*{deu_Fraktur:NAME}"),
        (["deu_Latn"], "deu", "`corpus.codes` to be null or names by FLORES code, but got 'deu'"),
        (["nob_Latn"], {"nob_Latn": False}, "to give names, but got nob_Latn: False; put the name in quotes"),
        (["zho_Hant", "zho_Latn"], None, "but got 'zho_Hant'"),
        ([], None, "a list of FLORES codes"),
    ],
)
def test_names_that_are_not_there(languages, codes, message):
    with pytest.raises(ValueError, match=message):
        find_names(languages, KNOWN, "here", codes)


def test_errors_name_the_key_of_the_corpus():
    with pytest.raises(ValueError, match=r"nearest: deu.* 'task.corpus.codes={deu_Arab:NAME}'$"):
        find_names(["deu_Latn", "deu_Arab"], ("deu_Latn",), "here", key="task.corpus")
    with pytest.raises(ValueError, match=r"`task.corpus.codes` to be null .*; write 'task.corpus.codes={"):
        find_names(["deu_Latn"], KNOWN, "here", "deu", key="task.corpus")
    with pytest.raises(ValueError, match=r"`task.corpus.codes` to give names"):
        find_names(["nob_Latn"], KNOWN, "here", {"nob_Latn": False}, key="task.corpus")
    with pytest.raises(ValueError, match=r"nearest: deu.*; leave it out$"):
        find_names(["deu_Latn", "deu_Arab"], ("deu_Latn",), "here", key=None)
