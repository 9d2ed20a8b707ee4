import json
from pathlib import Path

import pytest
import torch
import yaml

from babelscope.analyses.downstream.harness import load_tasks, require_harness, score_task
from babelscope.analyses.downstream.harness_model import harness_model
from babelscope.models.adapters import lora, save_adapted
from babelscope.models.load import load
from tests.models.tiny import save_checkpoint, tiny_tokenizer

pytest.importorskip("lm_eval")
HARNESSES = sorted((Path(__file__).parents[3] / "conf" / "harness").glob("*.yaml"))
ENGLISH = [
    ("The kettle whistled.", "The water boiled.", "The garden froze.", "cause", 0),
    ("The lamp fell from the shelf.", "It sang.", "It broke.", "effect", 1),
    ("The boat turned back.", "A storm came up.", "The sea was flat.", "cause", 0),
    ("She lost her key.", "She slept in her bed at once.", "She waited outside.", "effect", 1),
    ("The bread rose.", "The yeast was fresh.", "The oven was never lit.", "cause", 0),
    ("The children shouted.", "The dog slept on.", "The dog ran away.", "effect", 1),
    ("The bridge was closed.", "It had rusted.", "It was new.", "cause", 0),
]
INDONESIAN = [
    ("Ketel itu berbunyi.", "Airnya mendidih.", "Kebunnya membeku.", "cause", 0),
    ("Lampu itu jatuh.", "Lampu itu bernyanyi.", "Lampu itu pecah.", "effect", 1),
    ("Perahu itu kembali.", "Badai datang.", "Laut tenang sekali.", "cause", 0),
    ("Dia kehilangan kunci.", "Dia langsung tidur.", "Dia menunggu di luar.", "effect", 1),
]
METRICS = ("acc", "acc_norm")
FILES = {"test": "{name}/test.{name}.jsonl", "validation": "{name}/val.{name}.jsonl"}
CONNECTORS = {"eng_Latn": {"cause": "because", "effect": "so"}, "ind_Latn": {"cause": "karena", "effect": "maka"}}


def documents(rows):
    keys = ("premise", "choice1", "choice2", "question", "label")
    return [{**dict(zip(keys, row, strict=True)), "idx": i, "changed": False} for i, row in enumerate(rows)]


def write_published(folder, rows=INDONESIAN, name="id"):
    """Write sentences in XCOPA's published layout."""
    for split in ("val", "test"):
        file = folder / name / f"{split}.{name}.jsonl"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(json.dumps(row) + "\n" for row in documents(rows)), encoding="utf-8")
    return folder


def write_task(folder, name="because", **changes):
    """Write a task file of one's own on files in that layout."""
    data = write_published(folder / "data", ENGLISH, "en")
    task = {
        "task": name,
        "dataset_path": "json",
        "dataset_kwargs": {
            "data_files": {split: str(data / "en" / f"{split}.en.jsonl") for split in ("val", "test")},
            "cache_dir": str(folder / "cache"),
        },
        "output_type": "multiple_choice",
        "validation_split": "val",
        "test_split": "test",
        "doc_to_text": "{{premise[:-1]}} {{'because' if question == 'cause' else 'so'}}",
        "doc_to_target": "label",
        "doc_to_choice": "{{[choice1, choice2]}}",
        "metric_list": [{"metric": metric, "aggregation": "mean", "higher_is_better": True} for metric in METRICS],
        "metadata": {"version": 3.0},
        **changes,
    }
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(task), encoding="utf-8")
    return folder


def expected(checkpoint, rows, language, lower=False):
    """Log-likelihood of each choice by plain Hugging Face code: one text at a time, no padding, no harness."""
    loaded = load(checkpoint, head="lm")
    model, tokenizer = loaded.model.eval(), loaded.tokenizer
    found = []
    for premise, *choices, question, _ in rows:
        context = f"{premise[:-1]} {CONNECTORS[language][question]}"
        for choice in choices:
            answer = tokenizer(f" {choice[0].lower() if lower else choice[0]}{choice[1:]}", add_special_tokens=False)
            given, target = tokenizer(context)["input_ids"], torch.tensor(answer["input_ids"])
            with torch.no_grad():
                if loaded.parts.family.objective == "span":
                    start = torch.tensor([model.config.decoder_start_token_id])
                    decoded = torch.cat([start, target[:-1]])[None]
                    logits = model(input_ids=torch.tensor([given]), decoder_input_ids=decoded).logits[0]
                else:
                    given = given[:-1] if given[-1] == tokenizer.eos_token_id else given
                    ids = torch.cat([torch.tensor(given), target])[None]
                    logits = model(input_ids=ids).logits[0, len(given) - 1 : -1]
            found.append(logits.log_softmax(-1)[torch.arange(len(target)), target].sum().item())
    return torch.tensor(found).view(len(rows), 2)


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    folder = tmp_path_factory.mktemp("downstream")
    made = {kind: save_checkpoint(folder / kind, kind, "lm") for kind in ("bloom", "llama", "mt5")}
    for kind in ("bloom", "mt5"):
        base = load(made[kind], head="lm", adapter=lora).model
        torch.manual_seed(1)
        for name, weight in base.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(weight, std=0.3)
        save_adapted(base, folder / f"{kind}-lora")
        tiny_tokenizer().save_pretrained(folder / f"{kind}-lora")
        made[f"{kind}-lora"] = folder / f"{kind}-lora"
    return made


@pytest.fixture
def because(tmp_path):
    return load_tasks({"eng_Latn": "because"}, include=write_task(tmp_path))["eng_Latn"]


def likelihoods(scores):
    return torch.tensor([[answer[0] for answer in sample["filtered_resps"]] for sample in scores.samples])


@pytest.mark.parametrize("kind", ["bloom", "llama", "bloom-lora", "mt5", "mt5-lora"])
def test_likelihoods_are_those_of_plain_code(checkpoints, because, kind):
    scores = score_task(harness_model(load(checkpoints[kind], head="lm"), batch_size=3), because)
    wanted = expected(checkpoints[kind], ENGLISH, "eng_Latn")
    assert likelihoods(scores).numpy() == pytest.approx(wanted.numpy(), abs=1e-3)
    labels = torch.tensor([row[-1] for row in ENGLISH])
    chosen = wanted.argmax(1)
    assert scores.scores["acc"] == pytest.approx((chosen == labels).double().mean().item())
    assert [int(sample["acc"]) for sample in scores.samples] == (chosen == labels).int().tolist()


def test_an_adapter_changes_the_answers(checkpoints, because):
    plain, adapted = (
        score_task(harness_model(load(checkpoints[kind], head="lm")), because) for kind in ("bloom", "bloom-lora")
    )
    assert not torch.allclose(likelihoods(plain), likelihoods(adapted), atol=1e-2)
    assert plain.fingerprint == adapted.fingerprint


def test_published_files_with_the_harness_own_prompts(checkpoints, tmp_path):
    data = write_published(tmp_path / "xcopa")
    files = yaml.safe_load((HARNESSES[0].parent / "xcopa.yaml").read_text())["files"]
    task = load_tasks({"ind_Latn": "xcopa_id"}, folders=["xcopa"], files=files, data=data)["ind_Latn"]
    scores = score_task(harness_model(load(checkpoints["bloom"], head="lm")), task)
    wanted = expected(checkpoints["bloom"], INDONESIAN, "ind_Latn", lower=True)
    assert scores.samples[0]["arguments"][0] == ("Ketel itu berbunyi karena", " airnya mendidih.")
    assert likelihoods(scores).numpy() == pytest.approx(wanted.numpy(), abs=1e-3)
    labels = torch.tensor([row[-1] for row in INDONESIAN])
    assert scores.scores["acc"] == (wanted.argmax(1) == labels).double().mean()
    assert scores.scores["acc_null"] == 0.5
    assert (scores.task, scores.version, scores.documents, scores.of) == ("xcopa_id", "1.0", 4, 4)


def test_what_is_told_beside_the_score(checkpoints, because):
    model = harness_model(load(checkpoints["bloom"], head="lm"))
    scores = score_task(model, because, limit=5)
    right = torch.tensor([sample["acc"] for sample in scores.samples], dtype=torch.float64)
    assert scores.scores["acc_stderr"] == pytest.approx((right.std() / 5**0.5).item())
    assert set(scores.scores) == {f"{metric}{end}" for metric in METRICS for end in ("", "_stderr", "_null")}
    assert (scores.documents, scores.of, scores.num_fewshot, scores.truncated) == (5, 7, 0, 0)
    assert scores.version == "3.0"


def test_batches_and_length(checkpoints, because):
    loaded = load(checkpoints["llama"], head="lm")
    parts = []
    one, many = (
        score_task(
            harness_model(loaded, batch_size=size, progress=lambda found: parts.append(len(found)) or found), because
        )
        for size in (1, 16)
    )
    assert likelihoods(one).numpy() == pytest.approx(likelihoods(many).numpy(), abs=1e-3)
    assert parts == [1, 1]
    short = score_task(harness_model(loaded, max_length=40), because)
    assert 0 < short.truncated <= 2 * len(ENGLISH)
    assert not torch.allclose(likelihoods(short), likelihoods(many), atol=1e-3)
    with pytest.raises(ValueError, match=r"from 1 to 5 tokens, .* but got 18 for ' The water boiled\.' of document 1;"):
        score_task(harness_model(loaded, max_length=5), because)


def test_prompts_cut_before_generating_are_counted(checkpoints):
    model = harness_model(load(checkpoints["bloom"], head="lm"), batch_size=2)
    ids, _ = model.tok_batch_encode(["the cat sat on the mat", "a"], left_truncate_len=4)
    assert ids.shape[1] <= 4
    assert model.truncated == 1


def test_examples(checkpoints, tmp_path):
    folder = write_task(write_task(tmp_path), "none", num_fewshot=0).resolve()
    model = harness_model(load(checkpoints["bloom"], head="lm"))

    def prompts(seed):
        task = load_tasks({"eng_Latn": "because"}, include=folder, num_fewshot=2, seed=seed)["eng_Latn"]
        scores = score_task(model, task)
        assert scores.num_fewshot == 2
        return [sample["arguments"][0][0] for sample in scores.samples]

    assert prompts(0) == prompts(0) != prompts(1)
    assert all(len(prompt.split("\n\n")) == 3 for prompt in prompts(0))
    with pytest.raises(
        ValueError, match="`num_fewshot` to be null for task 'none', which allows no examples, but got 2"
    ):
        load_tasks({"eng_Latn": "none"}, include=folder, num_fewshot=2)


def test_masked_models_are_refused(tmp_path):
    loaded = load(save_checkpoint(tmp_path / "masked", "xlm-roberta", "lm"), head="lm")
    with pytest.raises(ValueError, match="causal or an encoder-decoder language model, but got xlm-roberta"):
        harness_model(loaded)


def test_generated_answers(checkpoints, tmp_path):
    folder = write_task(
        *(tmp_path, "generate"),
        output_type="generate_until",
        doc_to_choice=None,
        doc_to_target="choice1",
        generation_kwargs={"until": ["."], "max_gen_toks": 4},
        metric_list=[{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
    )
    for kind in ("bloom", "mt5"):
        task = load_tasks({"eng_Latn": "generate"}, include=folder)["eng_Latn"]
        scores = score_task(harness_model(load(checkpoints[kind], head="lm")), task, limit=2)
        assert set(scores.scores) == {"exact_match", "exact_match_stderr"}
    with pytest.raises(ValueError, match=r"`max_gen_toks` of task 'generate' to be less than the 4 .*, but got 4"):
        score_task(harness_model(load(checkpoints["bloom"], head="lm"), max_length=4), task, limit=2)


@pytest.mark.parametrize("file", HARNESSES, ids=lambda file: file.stem)
def test_every_task_is_one_of_the_harness(file):
    found = yaml.safe_load(file.read_text(encoding="utf-8"))
    root = Path(pytest.importorskip("lm_eval").__file__).parent / "tasks"
    known = {path.stem for folder in found["folders"] for path in (root / folder).rglob("*.yaml")}
    texts = [path.read_text() for folder in found["folders"] for path in (root / folder).rglob("*.yaml")]
    for language, name in found["tasks"].items():
        assert name in known or any(f"task: {name}\n" in text for text in texts), name
        assert len(language) == 8
    assert len(set(found["tasks"].values())) == len(found["tasks"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"doc_to_text": "{{premise"}, "task 'because' and its data"),
        ({"dataset_path": "nobody/nothing-of-this-name"}, "connect to the Hub once"),
        ({"test_split": "train"}, "task 'because' and its data"),
    ],
    ids=["template", "hub", "split"],
)
def test_tasks_that_cannot_be_built(tmp_path, monkeypatch, change, words):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    with pytest.raises(ValueError, match=words) as caught:
        load_tasks({"eng_Latn": "because"}, include=write_task(tmp_path, **change))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "`data` .* finds no .*test.id.jsonl"),
        ("", "is empty; fetch"),
        ("{}\n{oh}\n", "test.id.jsonl, line 2"),
        ("[1]\n", "JSON object"),
        ('{"premise": "Hujan turun."}\n', "task 'xcopa_id' and its data .* KeyError"),
        ('{"premise": "Hujan.", "label": 0}\n{"premise": "Hujan."}\n', "the field 'label', but row 2 has none"),
    ],
    ids=["none", "empty", "torn", "list", "field", "missing"],
)
def test_published_files_that_are_wrong(tmp_path, content, words):
    file = write_published(tmp_path) / "id" / "test.id.jsonl"
    file.unlink()
    if content is not None:
        file.write_text(content)
    with pytest.raises(ValueError, match=words):
        load_tasks({"ind_Latn": "xcopa_id"}, folders=["xcopa"], files=FILES, data=tmp_path)
    with pytest.raises(ValueError, match="`data` with a benchmark whose published files"):
        load_tasks({"ind_Latn": "xcopa_id"}, folders=["xcopa"], data=tmp_path)


def test_names_that_are_not_known(tmp_path):
    with pytest.raises(ValueError, match=r"`tasks.ind_Latn`.*'xcopa', which stands for several"):
        load_tasks({"ind_Latn": "xcopa"}, folders=["xcopa"])
    with pytest.raises(ValueError, match="`include` to be a folder"):
        load_tasks({"ind_Latn": "mine"}, include=tmp_path / "nowhere")
    (tmp_path / "torn.yaml").write_text("task: [")
    with pytest.raises(ValueError, match=r"'torn'; nearest: .*; .* has because\."):
        load_tasks({"ind_Latn": "torn"}, include=write_task(tmp_path))
    with pytest.raises(ValueError, match=r"'xcopa_ind'; nearest: .*xcopa_i.*include=FOLDER"):
        load_tasks({"ind_Latn": "xcopa_ind"}, folders=["xcopa"])


def test_without_the_harness(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "lm_eval", None)
    with pytest.raises(ValueError, match=r'pip install "babelscope\[eval\]"'):
        require_harness()
