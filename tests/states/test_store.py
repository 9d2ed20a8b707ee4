import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from babelscope.models.parts import parts_of
from babelscope.states import DOWN_INPUT, GATE, embed, embed_once, pool, prepare
from tests.models.tiny import tiny_model, tiny_tokenizer

KEY = {"weights": "abc", "pool": "mean"}


@pytest.fixture
def parts():
    return parts_of(tiny_model("bert"))


@pytest.fixture
def prepared(corpus):
    return prepare(corpus, tiny_tokenizer())


def test_what_is_read_back_is_what_was_embedded(tmp_path, parts, prepared):
    direct = embed(parts, prepared, pool.mean)
    for _ in range(2):
        stored = embed_once(tmp_path, KEY, parts, prepared, pool.mean)
        assert list(stored.layers) == list(direct.layers)
        assert len(stored.layers) == 5
        torch.testing.assert_close(dict(stored.layers), dict(direct.layers), rtol=0, atol=0)


def test_nothing_is_embedded_twice(tmp_path, parts, prepared):
    embed_once(tmp_path, KEY, parts, prepared, pool.mean)
    again = embed_once(tmp_path, KEY, parts, prepared, pool.mean, progress=lambda batches: pytest.fail("ran again"))
    assert len(list(again.samples())) == 5


@pytest.mark.parametrize("change", ["weights", "pool", "corpus", "tokens"])
def test_a_change_is_never_served_the_old_states(tmp_path, parts, prepared, corpus, change):
    embed_once(tmp_path, KEY, parts, prepared, pool.mean)
    key = {**KEY, change: "other"} if change in KEY else KEY
    if change == "corpus":
        prepared = prepare(corpus.select(["deu_Latn", "eng_Latn"]), tiny_tokenizer())
    if change == "tokens":
        prepared = prepare(corpus, tiny_tokenizer(), max_length=6)
    ran = []
    embed_once(tmp_path, key, parts, prepared, pool.mean, progress=lambda batches: ran.append(1) or batches)
    assert ran
    assert len(list(tmp_path.iterdir())) == 2


def test_a_failure_leaves_nothing(tmp_path, parts, prepared):
    def fail(batches):
        yield batches[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        embed_once(tmp_path, KEY, parts, prepared, pool.mean, progress=fail)
    assert not list(tmp_path.iterdir())


def test_states_that_are_not_finite_are_not_kept(tmp_path, parts, prepared):
    with torch.no_grad():
        parts.blocks[0].output.dense.bias[0] = float("inf")
    with pytest.raises(ValueError, match="layer 1 is not finite"):
        embed_once(tmp_path, KEY, parts, prepared, pool.mean)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_an_error_and_not_a_crash(tmp_path, parts, prepared, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space left"):
        embed_once(tmp_path, KEY, parts, prepared, pool.mean)
    assert not list(tmp_path.iterdir())


def test_the_key_of_states_is_what_it_was(tmp_path, parts, prepared):
    embed_once(tmp_path, KEY, parts, prepared, pool.mean)
    key = {"corpus": prepared.corpus.fingerprint(), "tokens": prepared.tokens, "layers": list(parts.layers)}
    whole = json.dumps({**KEY, **key, "device": "cpu", "format": 3}, sort_keys=True)
    assert [folder.name for folder in tmp_path.iterdir()] == [hashlib.sha256(whole.encode()).hexdigest()[:32]]


@pytest.mark.parametrize("reading", [DOWN_INPUT, GATE], ids=lambda reading: reading.name)
def test_neurons_are_kept_apart_from_states(tmp_path, prepared, reading):
    parts = parts_of(tiny_model("llama"))
    embed_once(tmp_path, KEY, parts, prepared, pool.mean)
    direct = embed(parts, prepared, pool.mean, reading=reading)
    for _ in range(2):
        stored = embed_once(tmp_path, KEY, parts, prepared, pool.mean, reading=reading)
        assert list(stored.layers) == ["1", "2", "3", "4"]
        torch.testing.assert_close(dict(stored.layers), dict(direct.layers), rtol=0, atol=0)
    assert len(list(tmp_path.iterdir())) == 2


def test_memory_does_not_grow_with_sentences(tmp_path):
    command = [sys.executable, "-m", "tests.states.memory", str(tmp_path)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    folder = Path(__file__).parents[2]
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-3000:]
    few, many = (int(kib) * 1024 for kib in ended.stdout.split())
    # the layer itself is 4 bytes x 8192 x 2000 = 66 MB, 49 MB more than that of the few
    assert many - few < 16e6
