import json
import shutil
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer

from babelscope.analyses.tokens.blocks import find_blocks
from babelscope.models.table import read_table
from babelscope.report.table import read_run
from babelscope.verbs import tokens as tokens_verb
from tests.models.tiny import save_checkpoint
from tests.verbs import command
from tests.verbs.command import babelscope

pytestmark = pytest.mark.usefixtures("somewhere")

refused = partial(command.refused, "tokens", "output=run")
SMALL = ("k=[5]", "probe.minimum=10", "probe.folds=3", "probe.draws=2", "probe.max_iter=200")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    root = tmp_path_factory.mktemp("tokens")
    return {kind: save_checkpoint(root / kind.replace("-", "_"), kind) for kind in ("xlm-roberta", "bloom")}


def value(run, metric, language="", other=""):
    rows = run.rows.query("metric == @metric and language == @language and other == @other")
    return rows["value"].item()


def test_one_table(tiny):
    ended = babelscope("tokens", f"model.checkpoint={tiny['xlm-roberta']}", "output=run", *SMALL)
    assert (ended.code, ended.err) == (0, ""), ended.err
    assert "script probe, mean accuracy" in ended.out
    run = read_run(Path("run"))
    assert set(run.rows["run"]) == {"run"}
    assert set(run.rows["layer"]) == {"0"}
    assert {"tokens", "isoscore", "script_probe", "script_probe_shuffled", "neighbour_scripts@5"} <= set(
        run.rows["metric"]
    )
    assert "translation_p@1" not in set(run.rows["metric"])  # the lab's dictionary is for the lab's models
    assert run.manifest["tensor"]["width"] == value(run, "width")
    assert len(run.manifest["weights"]) == 64
    assert run.config["labels"] == "script"
    explorer = json.loads(Path("run/explorer.json").read_text())
    assert len(explorer["near"]) == len(explorer["tokens"]) == len(explorer["place"])
    assert "Neighbour explorer" in Path("run/report.html").read_text()


def test_labels_change_by_name(tiny):
    ended = babelscope("tokens", f"model.checkpoint={tiny['bloom']}", "output=run", "labels=legacy", *SMALL)
    assert (ended.code, ended.err) == (0, ""), ended.err
    assert "LATIN" in set(read_run(Path("run")).rows["language"])


def test_several_tables_and_their_pairs(tiny):
    both = f"models=[{tiny['xlm-roberta']},{tiny['bloom']}]"
    ended = babelscope("tokens", both, "output=run", "probe=null", "k=[5]", "shared=true")
    assert (ended.code, ended.err) == (0, ""), ended.err
    for name in ("xlm_roberta", "bloom"):
        run = read_run(Path("run") / name)
        assert run.config["model"]["name"] == run.manifest["token_table"] == name
    pairs = read_run(Path("run/pairs"))
    assert value(pairs, "vocabulary_jaccard", "xlm_roberta", "bloom") == 1
    assert "Between" in ended.out
    again = babelscope("report", "runs=run", "page=page.html")
    assert (again.code, again.err) == (0, ""), again.err
    assert "Neighbour explorer" in Path("page.html").read_text()


def test_a_later_failure_keeps_what_is_finished(tiny, monkeypatch):
    both = (f"models=[{tiny['xlm-roberta']},{tiny['bloom']}]", "output=run", *SMALL)
    studied = []

    def study_tokens(tokens, *arguments, **keywords):
        studied.append(len(tokens.ids))
        if len(studied) == 2:
            raise ValueError("Expected nothing of the kind.")
        return study(tokens, *arguments, **keywords)

    study = tokens_verb.study_tokens
    monkeypatch.setattr(tokens_verb, "study_tokens", study_tokens)
    failed = babelscope("tokens", *both)
    assert (failed.code, len(failed.lines)) == (2, 1), failed.err
    again = babelscope("tokens", *both)
    assert (again.code, again.err) == (0, ""), again.err
    assert len(studied) == 3
    assert "xlm_roberta: finished by an earlier command" in again.out
    once = read_run(Path("run/xlm_roberta")).rows
    ended = babelscope("tokens", *both, "cache=elsewhere")
    assert (ended.code, len(studied)) == (0, 5), ended.err
    assert read_run(Path("run/xlm_roberta")).rows.equals(once)
    refused = babelscope("tokens", *both, "seed=1")
    assert (refused.code, len(refused.lines), len(studied)) == (2, 1, 5)
    assert "but got one in bloom/ with seed=0 where this one has 1; choose another folder" in refused.err
    assert babelscope("tokens", *both, "seed=1", "output=other").code == 0
    assert len(studied) == 7


def test_an_interrupted_search_goes_on(tiny, monkeypatch):
    command = ("tokens", f"model.checkpoint={tiny['bloom']}", "probe=null", "k=[5]", "sample=1.0")
    assert babelscope(*command, "output=whole", "cache=elsewhere").code == 0
    monkeypatch.setitem(find_blocks.__kwdefaults__, "batch", 10)
    searching = tokens_verb.searching

    def interrupted(blocks, total, done):
        for number, block in enumerate(searching(blocks, total, done)):
            if number == 2:
                raise KeyboardInterrupt
            yield block

    with monkeypatch.context() as patch:
        patch.setattr(tokens_verb, "searching", interrupted)
        assert babelscope(*command, "output=run").code == 130
    ended = babelscope(*command, "output=run")
    assert (ended.code, ended.err) == (0, ""), ended.err
    assert "Resuming after 2 of" in ended.out
    whole, run = (read_run(Path(name)).rows.drop(columns="run") for name in ("whole", "run"))
    assert run.equals(whole)
    assert Path("run/explorer.json").read_bytes() == Path("whole/explorer.json").read_bytes()


def test_models_without_a_token_in_common_are_refused(tiny, somewhere):
    folder = somewhere / "other"
    shutil.copytree(tiny["bloom"], folder)
    file = folder / "tokenizer.json"
    made = json.loads(file.read_text())
    special = {token["content"] for token in made["added_tokens"]}
    renamed = {name if name in special else f"q{i}q": i for name, i in made["model"]["vocab"].items()}
    made["model"] = {"type": "WordLevel", "vocab": renamed, "unk_token": next(iter(special))}
    file.write_text(json.dumps(made))
    assert "tokens that bloom and other share" in refused(f"models=[{tiny['bloom']},{folder}]", "probe=null", "k=[5]")


def test_a_dictionary_of_ones_own(tiny):
    from babelscope.data.pieces import decode_pieces

    words = [
        piece.text
        for piece in decode_pieces(read_table(tiny["bloom"]).tokenizer)
        if piece.kind == "word" and piece.text
    ]
    a, b, c, d = list(dict.fromkeys(words))[:4]
    Path("own.txt").write_text(f"{a}\t{b}\n{c}\t{d}\n")
    own = ("dictionary.files={eng-deu: own.txt}", "dictionary.layout=panlex", "probe=null", "k=[5]")
    ended = babelscope("tokens", f"model.checkpoint={tiny['bloom']}", "output=run", *own)
    assert (ended.code, ended.err) == (0, ""), ended.err
    assert value(read_run(Path("run")), "translation_coverage", "eng", "deu") == 1


def test_counts_give_deciles(tiny):
    Path("counts.tsv").write_text("".join(f"{token}\t{token}\n" for token in range(5, 40)))
    given = ("probe=null", "k=[5]", "counts=counts.tsv", "sample=1.0")
    ended = babelscope("tokens", f"model.checkpoint={tiny['bloom']}", "output=run", *given)
    assert (ended.code, ended.err) == (0, ""), ended.err
    rows = read_run(Path("run")).rows
    assert sorted(rows.loc[rows["metric"] == "neighbour_scripts_decile@5", "other"].astype(int)) == list(range(1, 11))
    Path("counts.tsv").write_text("0 7\n")
    again = babelscope("tokens", f"model.checkpoint={tiny['bloom']}", "output=again", *given)
    assert again.code == 2
    assert "counts.tsv, line 1" in again.err


def test_tokens_are_counted_in_the_text_of_a_corpus_by_each_model(tiny):
    Path("text").mkdir()
    Path("text/eng_Latn.txt").write_text("the cat\nthe cat\n")
    given = ("probe=null", "pairs=null", "k=[5]", "sample=1.0", "corpus=lines", "corpus.folder=text")
    models = f"models=[{tiny['bloom']},{tiny['xlm-roberta']}]"
    ended = babelscope("tokens", models, "output=run", *given, "+languages.codes=[eng_Latn]")
    assert (ended.code, ended.err) == (0, ""), ended.err
    for own in ("bloom", "xlm_roberta"):
        metrics = set(read_run(Path("run") / own).rows["metric"])
        assert {"neighbour_scripts_decile@5", "neighbour_scripts_unseen@5"} <= metrics
    for more, message in ((["counts=c.tsv", "+languages.codes=[eng_Latn]"], "got both"), ([], "add languages=lab")):
        ended = babelscope("tokens", f"model.checkpoint={tiny['bloom']}", "output=no", *given, *more)
        assert ended.code == 2
        assert message in ended.err
        assert len(ended.err.splitlines()) == 1


def test_what_a_user_can_mend_is_one_line(tiny):
    tiny_one = f"model.checkpoint={tiny['bloom']}"
    assert "fewer" in (line := refused(tiny_one, "k=[5000]", "probe=null")) or "smaller than" in line
    said = refused(tiny_one, "k=[5]", "probe.minimum=100000")
    assert "at least two scripts" in said
    assert "lower probe.minimum" in said
    assert "probe=null" in said
    assert "`labels`" in refused(tiny_one, "labels=mine")
    assert "`map`" in refused(tiny_one, "map=tsne")
    assert "nearest: lab_xlmr" in refused("models=[lab_xlm]")
    assert "a list of models" in refused("models=lab_xlmr")
    assert "twice" in refused(f"models=[{tiny['bloom']},{tiny['bloom']}]")
    assert "nearest: folds" in refused(tiny_one, "+probe.fold=3")
    assert "minimum" in refused(tiny_one, "probe.minimum=ten")
    Path("none.txt").write_text("qqqq wwww\n")
    uncovered = (tiny_one, "dictionary.files={eng-deu: none.txt}", "probe=null", "k=[5]")
    assert "write dictionary.pieces=true" in (line := refused(*uncovered))
    assert "covered pairs" in line
    Path("none.txt").write_text("a\ta\n")
    assert "dictionary.pieces=true" not in refused(*uncovered, "dictionary.pieces=true")  # it is so already
    assert "SOURCE-TARGET" in refused(tiny_one, "dictionary.files={eng: none.txt}", "probe=null", "k=[5]")
    assert "no-such" in refused(tiny_one, "dictionary.files={eng-deu: no-such.txt}", "probe=null", "k=[5]")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("k=[]", "`k` to be a list of whole numbers from 1, but got []; write k=[50,100]"),
        ("k=[5.5]", "`k` to be a list of whole numbers"),
        ("k=50", "but got 50; write k=[50,100]"),
        ("k=[true]", "`k` to be a list of whole numbers"),
        ("k=[0,5]", "`k` to be a list of whole numbers from 1"),
        ("k=null", "`k` to be a list"),
        ("sample=abc", "`sample` to be a number above 0 and at most 1, or null, but got 'abc'"),
        ("sample=0", "`sample` to be a number above 0"),
        ("sample=2", "`sample` to be a number above 0 and at most 1"),
        ("sample=true", "but got True; write sample=0.01"),
        ("pairs.k=0", "`pairs.k` to be a whole number from 1"),
        ("pairs.sample=0", "`pairs.sample` to be a whole number from 1"),
        ("pairs=5", "`pairs` to be a mapping or null, but got 5"),
        ("probe=true", "`probe` to be a mapping or null"),
        ("probe.draws=0", "`probe.draws` to be a whole number from 1"),
        ("shared=maybe", "`shared` to be true or false, but got 'maybe'"),
        ("shared=true", "`shared` with several models, but got one; add models=[A,B]"),
        ("dictionary=null", "`dictionary` to be a mapping, but got null"),
        ("+dictionary.piece=true", "keys of `dictionary` to be among lab, files"),
        ("dictionary.pieces=maybe", "`dictionary.pieces` to be true or false, but got 'maybe'"),
        ("dictionary.vocabulary=1", "`dictionary.vocabulary` to be true or false"),
        ("dictionary.lab=yess", "`dictionary.lab` to be true, false or null"),
        ("dictionary.layout=csv", "`dictionary.layout` to be one of muse, xling-eval, panlex"),
        ("dictionary.files=none.txt", "`dictionary.files` to be files by pair of languages"),
        ("dictionary.files={a-b: 5}", "`dictionary.files` to be files by pair of languages"),
    ],
)
def test_settings_are_checked_before_any_table_is_read(tiny, monkeypatch, override, message):
    monkeypatch.setattr(tokens_verb, "read_source", None)  # which nothing may reach
    assert message in refused(f"model.checkpoint={tiny['bloom']}", override)


def test_nothing_slow_before_words_are_known_to_be_covered(tiny, monkeypatch):
    monkeypatch.setattr(tokens_verb, "study_tokens", None)
    Path("none.txt").write_text("qqqq wwww\n")
    assert "covered pairs" in refused(f"model.checkpoint={tiny['bloom']}", "dictionary.files={eng-deu: none.txt}")


@pytest.mark.parametrize("labels", ["script", "legacy"])
def test_a_special_token_beyond_the_table_is_left_out(tiny, somewhere, labels):
    folder = somewhere / "image"  # as Gemma 3's tokenizer has beside its text models
    shutil.copytree(tiny["bloom"], folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    rows = read_table(folder).weight.shape[0]
    tokenizer.add_special_tokens({"extra_special_tokens": ["<image_soft_token>"]})
    assert max(tokenizer.get_vocab().values()) == rows
    tokenizer.save_pretrained(folder)
    Path("own.txt").write_text("a b\n")
    own = ("dictionary.files={eng-deu: own.txt}", "dictionary.vocabulary=true", f"labels={labels}", "sample=1.0")
    ended = babelscope("tokens", f"models=[{tiny['bloom']},{folder}]", "output=run", *SMALL, *own)
    assert (ended.code, ended.err) == (0, ""), ended.err
    one, image = (read_run(Path("run") / name).rows for name in ("bloom", "image"))
    assert image.query("metric == 'tokens'")["value"].tolist() == one.query("metric == 'tokens'")["value"].tolist()
    tokenizer.add_tokens(["wort"])  # no special one has to have a row
    tokenizer.save_pretrained(folder)
    assert f"the token of id {rows + 1} has none" in refused(
        "output=other", f"model.checkpoint={folder}", f"labels={labels}"
    )


def test_a_damaged_checkpoint_is_one_line(somewhere):
    folder = save_checkpoint(somewhere / "damaged", "bloom")
    file = folder / "model.safetensors"
    tensors = load_file(file)
    (name,) = [name for name in tensors if name.endswith("word_embeddings.weight")]
    save_file({**tensors, name: tensors[name][:20].clone()}, file, {"format": "pt"})
    line = refused(f"model.checkpoint={folder}")
    assert "`model.checkpoint` to have a row for each of" in line
    assert "its table has 20 rows" in line
    assert "model.tokenizer" in line
    save_file({**tensors, name: torch.zeros_like(tensors[name])}, file, {"format": "pt"})
    assert "a direction" in refused(f"model.checkpoint={folder}")
    save_file({key: value for key, value in tensors.items() if key != name}, file, {"format": "pt"})
    assert "no token table found" in refused(f"model.checkpoint={folder}")


def test_the_published_protocol_composes():
    ended = babelscope("tokens", "experiment=token_tables", "--cfg", "job")
    assert ended.code == 0, ended.err
    assert "0.9924" in ended.out
    assert "neighbour_scripts_legacy@50: 1.64" in ended.out
