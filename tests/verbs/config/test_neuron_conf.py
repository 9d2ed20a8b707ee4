from pathlib import Path

import pytest
from omegaconf import OmegaConf

from babelscope.data.corpora import Corpus
from babelscope.verbs.config.neuron_conf import check_criterion, read_settings, split_corpus

FILE = Path(__file__).parents[3] / "conf" / "neurons.yaml"
SIX = ["eng_Latn", "deu_Latn", "fra_Latn", "spa_Latn", "rus_Cyrl", "ell_Grek"]
IDS = tuple(f"s{i}" for i in range(20))
CORPUS = Corpus("toy", IDS, {code: tuple(f"{code} {name}" for name in IDS) for code in SIX[:2]})


def configuration(**changes):
    cfg = OmegaConf.merge(OmegaConf.load(FILE), {"languages": {"codes": SIX}, "seed": 0})
    for key, value in changes.items():
        OmegaConf.update(cfg, key.replace("__", "."), value)
    return cfg


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"reading": "gate", "permutations": 0, "sentences": 3},
        {"sentences": None, "z": None, "ablation__criterion": "lape"},
        {"z": None, "lape": None, "ablation": None},
        {"z": None, "lape": None, "regions": str(FILE)},
        {"languages__codes": SIX[:3], "regions": str(FILE)},  # found elsewhere, among other languages
        {"published__file": str(FILE), "ablation__criterion": "published", "ablation__languages": ["eng_Latn"]},
        {"metrics": ["ilo"], "ablation__controls": 2, "ablation__sentences": 2},
    ],
)
def test_what_makes_sense_passes(changes):
    read_settings(configuration(**changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"languages__codes": ["eng_Latn"]}, "at least 2 languages, because neurons are compared across languages"),
        ({"languages__codes": ["eng_Latn"] * 3}, "at least 2 languages, because neurons are compared across languages"),
        (
            {"languages__codes": [*SIX[:2], SIX[0]]},
            "`languages.codes` to name every language once, .* 'eng_Latn' twice",
        ),
        ({"languages__codes": SIX[:5]}, "`z.threshold` to be below 2.000"),
        ({"reading": "both"}, "`reading` to be 'down_input' or 'gate', but got 'both'"),
        ({"lape__reading": "states"}, "`lape.reading` to be 'down_input' or 'gate', but got 'states'"),
        ({"permutations": -1}, "`permutations` to be a whole number from 0 to 4294967295, but got -1"),
        ({"permutations": True}, "permutations` to be a whole number, but got True"),
        ({"sentences": 2}, "`sentences` to be a whole number from 3 to 4294967295, or null, but got 2"),
        ({"z__threshold": "high"}, "`z.threshold` to be a number, but got 'high'"),
        ({"z": None, "lape": None}, r"found by \(none\), but got 'z'"),
        ({"ablation__criterion": "size"}, "`ablation.criterion` to be 'z' or 'lape' or 'published', but got 'size'"),
        ({"ablation__criterion": "published"}, r"found by \(z, lape\), but got 'published'"),
        ({"lape": None, "ablation__criterion": "lape"}, r"found by \(z\), but got 'lape'"),
        ({"z": None}, r"found by \(lape\), but got 'z'"),
        ({"ablation__sentences": 1}, "`ablation.sentences` to be a whole number from 2 to 4294967295, but got 1"),
        ({"ablation__sentences": None}, "`ablation.sentences` to be a whole number, but got null"),
        ({"ablation__controls": 2.5}, "`ablation.controls` to be a whole number, but got 2.5"),
        ({"ablation__languages": "eng_Latn"}, "`ablation.languages` to be .* but got 'eng_Latn'"),
        ({"ablation__languages": []}, "`ablation.languages` to name a language"),
        ({"ablation__languages": ["jpn_Jpan"]}, "`ablation.languages` to be among the languages, but got 'jpn_Jpan'"),
        ({"languages__codes": None}, "`languages.codes` to list at least 2 languages"),
        ({"languages__codes": "eng_Latn"}, "`languages.codes` to list at least 2 languages"),
        ({"z": 2}, "`z` to be null or to have threshold, but got 2; write z.threshold=VALUE"),
        ({"lape": True}, "`lape` to be null or to have reading, share, bar"),
        ({"ablation": True}, "`ablation` to be null or to have criterion"),
        ({"z__threshold": True}, "`z.threshold` to be a number, but got True"),
        ({"z__threshold": -1}, "`z.threshold` to be a positive number, but got -1"),
        ({"z__threshold": float("nan")}, "`z.threshold` to be a positive number, but got nan"),
        ({"lape__share": "x"}, "`lape.share` to be a number or null, but got 'x'"),
        ({"lape__share": 0}, "`lape.share` to be between 0 and 1, or null, but got 0"),
        ({"lape__bar": None}, "`lape.bar` to be a number, but got null"),
        ({"legacy": "maybe"}, "legacy` to be true or false, but got 'maybe'"),
        ({"any_weights": "no"}, "any_weights` to be true or false, but got 'no'"),
        ({"regions": 3}, "regions` to be text or null, but got 3"),
        (
            {"regions": "nowhere.safetensors"},
            "`regions` to be null or a file, but got 'nowhere.safetensors'; there is none",
        ),
        ({"published__file": ["a"]}, r"`published.file` to be text or null, but got \['a'\]"),
        ({"published__languages": ["eng_Latn"]}, "`published.languages` with `published.file`"),
        ({"task": {"name": "lm"}}, "`task` to be topic"),
        ({"ablation": None, "metrics": ["ilo"]}, "`ablation` to be on for `metrics`"),
        ({"ablation": None, "task": {"name": "topic"}}, "`ablation` to be on for `task`"),
    ],
)
def test_what_would_fail_late_is_refused(changes, message):
    with pytest.raises(ValueError, match=message) as caught:
        read_settings(configuration(**changes))
    assert "\n" not in str(caught.value)


def test_regions_of_a_file_are_by_the_criterion_that_the_file_names():
    ablation = read_settings(configuration(regions=str(FILE), ablation__criterion="lape", lape=None)).ablation
    check_criterion(ablation, ["lape"])
    with pytest.raises(ValueError, match=r"found by \(z\), but got 'lape'"):
        check_criterion(ablation, ["z"])


def split(corpus, seed=0, **changes):
    cfg = configuration(seed=seed, **changes)
    return split_corpus(read_settings(cfg), corpus, sentences=cfg.sentences, seed=seed)


@pytest.mark.parametrize("seed", [0, 3])
def test_sentences_of_a_probe_and_others(seed):
    found, apart = split(CORPUS, sentences=11, ablation__sentences=6, seed=seed)
    assert found == CORPUS.subset(11, seed=seed)
    assert len(apart) == 6
    assert not set(found.ids) & set(apart.ids)
    assert set(found.ids) | set(apart.ids) == set(CORPUS.subset(17, seed=seed).ids)
    for corpus in (found, apart):
        assert list(corpus.ids) == sorted(corpus.ids, key=CORPUS.ids.index)
        assert corpus.texts["deu_Latn"] == tuple(f"deu_Latn {name}" for name in corpus.ids)


def test_all_that_are_not_set_aside():
    found, apart = split(CORPUS, sentences=None, ablation__sentences=6)
    assert sorted([*found.ids, *apart.ids]) == sorted(IDS)
    assert len(apart) == 6
    whole, _ = split(CORPUS, sentences=None, ablation=None)
    assert whole == CORPUS
    assert split(CORPUS, sentences=20, ablation=None)[0] == CORPUS


@pytest.mark.parametrize(
    ("sentences", "apart", "message"),
    [
        (15, 6, "to have 15 sentences for finding regions and 6 others for ablating them, but got 20"),
        (None, 18, "to have 3 sentences for finding regions and 18 others"),
        (None, 40, "to have 3 sentences for finding regions and 40 others"),
    ],
)
def test_too_few_sentences(sentences, apart, message):
    with pytest.raises(ValueError, match=message):
        split(CORPUS, sentences=sentences, ablation__sentences=apart)
