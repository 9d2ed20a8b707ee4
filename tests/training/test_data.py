from types import SimpleNamespace
from typing import Any

import pytest
import torch

from babelscope.data.corpora import Corpus
from babelscope.data.tasks import Task, lm
from babelscope.models.parts import parts_of
from babelscope.training.data import TaskData
from tests.models.tiny import VOCABULARY, tiny_model, tiny_tokenizer
from tests.training.runs import LANGUAGES, TEST, TRAIN


# examples are (language, sentence); a batch says which collator made it
def collate(kind: str) -> Any:
    return lambda examples: (kind, [example["at"] for example in examples])


TASK = Task(
    None,
    lambda corpus, language: [{"at": (language, key)} for key in corpus.examples(language).ids],
    collate("train"),
    collate("same"),
)


def make(*, rank=0, world=1, seed=0):
    corpora: dict[str, Any] = {"train": TRAIN, "validation": TEST, "test": TEST}
    data = TaskData(TASK, **corpora, source="eng_Latn", languages=LANGUAGES, batch_size=3, seed=seed)
    data.trainer = SimpleNamespace(world_size=world, global_rank=rank)
    return data


def order(data, epoch):
    loader = data.train_dataloader()
    loader.sampler.set_epoch(epoch)
    kinds, batches = zip(*loader, strict=True)
    assert set(kinds) == {"train"}
    return [at for batch in batches for at in batch]


def test_training_is_shared_out_and_the_rest_is_not():
    shares = [make(rank=rank, world=2) for rank in range(2)]
    one, two = (order(share, epoch=1) for share in shares)
    assert not set(one) & set(two)
    assert {*one, *two} == {("eng_Latn", key) for key in TRAIN.ids}
    for share in shares:
        (kind, first), *_ = share.val_dataloader()
        assert kind == "same"
        assert first == [("eng_Latn", key) for key in TEST.ids]  # four times a training batch
        loaders = share.test_dataloader()
        seen = [at for loader in loaders for _, batch in loader for at in batch]
        assert seen == [(language, key) for language in LANGUAGES for key in TEST.ids]


def test_two_processes_see_the_batches_of_one():
    whole = order(make(), epoch=2)
    one, two = (order(make(rank=rank, world=2), epoch=2) for rank in range(2))
    assert [at for pair in zip(one, two, strict=True) for at in pair] == whole


def test_the_order_depends_on_seed_and_epoch_only():
    torch.manual_seed(1)
    first = order(make(), epoch=3)
    torch.manual_seed(2)
    again = make()
    order(again, epoch=0)
    assert order(again, epoch=3) == first
    assert order(make(), epoch=4) != first
    assert order(make(seed=1), epoch=3) != first
    assert sorted(first) == sorted(order(make(), epoch=4)) == [("eng_Latn", key) for key in TRAIN.ids]


def test_drawing_the_order_leaves_torchs_random_state_alone():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    order(make(), epoch=0)
    assert torch.equal(torch.get_rng_state(), before)


def test_loaders_can_be_had_without_a_trainer():
    data = make()
    data.trainer = None
    assert len(order(data, epoch=0)) == len(TRAIN)


def test_a_loader_goes_on_where_it_was_left_and_later_epochs_are_whole():
    whole = {epoch: order(make(), epoch=epoch) for epoch in (2, 3)}
    first = make()
    loader = first.train_dataloader()
    loader.sampler.set_epoch(2)
    batches = iter(loader)
    seen = [at for _ in range(2) for at in next(batches)[1]]
    assert loader.state_dict() == first.state_dict() == {"epoch": 2, "examples": 6}
    for by in ("data", "loader"):
        again = make()
        if by == "data":
            again.load_state_dict(first.state_dict())
        loader = again.train_dataloader()
        if by == "loader":
            loader.load_state_dict(first.state_dict())
        assert len(loader) == len(make().train_dataloader())
        loader.sampler.set_epoch(2)
        assert loader.state_dict() == first.state_dict()
        assert seen + [at for _, batch in loader for at in batch] == whole[2]
        assert loader.state_dict() == {"epoch": 2, "examples": len(TRAIN.ids)}
        loader.sampler.set_epoch(3)
        assert [at for _, batch in loader for at in batch] == whole[3]


def test_every_process_goes_on_with_its_own_share():
    for rank in range(2):
        whole = order(make(rank=rank, world=2), epoch=1)
        data = make(rank=rank, world=2)
        data.load_state_dict({"epoch": 1, "examples": 3})
        assert order(data, epoch=1) == whole[3:]


def test_data_that_was_not_asked_for_has_nothing_to_keep():
    assert make().state_dict() == {}


@pytest.mark.parametrize("of", ["train", "validation", "test"])
def test_a_text_that_the_model_cannot_read_is_refused_wherever_it_is(of):
    parts, tokenizer = parts_of(tiny_model("bert")), tiny_tokenizer()
    tokenizer.add_tokens(["cat"])
    strange = Corpus("one", ("0",), {"eng_Latn": ("A cat.",)})
    plain = Corpus("one", ("0",), {"eng_Latn": ("A dog.",)})
    task = lm(tokenizer, "masked")

    def data(**corpora: Corpus) -> TaskData:
        given: Any = {**dict.fromkeys(("train", "validation", "test"), plain), **corpora}
        return TaskData(task, **given, source="eng_Latn", languages=["eng_Latn"], batch_size=3)

    data().refuse_unreadable_by(parts)
    with pytest.raises(ValueError, match=f"below the {VOCABULARY} rows .* the tokenizer gives {VOCABULARY}; resize"):
        data(**{of: strange}).refuse_unreadable_by(parts)
