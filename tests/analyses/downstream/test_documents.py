"""Documents that do not fit their task are named before a model is asked."""

from types import SimpleNamespace

import numpy as np
import pytest

from babelscope.analyses.downstream.documents import check_documents
from babelscope.analyses.downstream.harness import load_tasks
from tests.analyses.downstream.test_harness import FILES, INDONESIAN, write_published, write_task

pytest.importorskip("lm_eval")


def task(right, **changes):
    """One document with two choices, as the harness has it."""
    return SimpleNamespace(
        config=SimpleNamespace(task="mine", process_results=changes.pop("process_results", None)),
        eval_docs=[{}],
        OUTPUT_TYPE=changes.pop("kind", "multiple_choice"),
        multiple_input=False,
        doc_to_text=lambda document: "A",
        doc_to_target=lambda document: right,
        doc_to_choice=lambda document: ["a", "b"],
    )


@pytest.mark.parametrize("right", [0, 1, "a", [0, 1], np.int64(1), [np.int64(0)]])
def test_what_the_harness_finds_is_right(right):
    check_documents(task(right))


@pytest.mark.parametrize("right", [2, -1, "c", [2], [], ["a"], None, 0.5, np.array([0, 1])])
def test_what_the_harness_does_not_find_is_not(right):
    with pytest.raises(ValueError, match=r"^Expected document 1 of task 'mine' to fit its prompts, but .*its right"):
        check_documents(task(right))
    check_documents(task(right, process_results=lambda document, results: {}))
    check_documents(task(right, kind="generate_until"))


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (("Hujan turun.", "Basah.", "Kering.", "why", 0), "KeyError: 'why'"),
        (("Hujan turun.", "", "Kering.", "effect", 0), "IndexError"),
        (("Hujan turun.", "Basah.", "Kering.", "effect", 7), "answer is 7, .* number from 0 to 1 nor one of the"),
        (("Hujan turun.", "Basah.", "Kering.", "effect", -1), "answer is -1"),
        (("Hujan turun.", "Basah.", "Kering.", "effect", "0"), "answer is '0'"),
    ],
)
def test_documents_that_do_not_fit(tmp_path, row, words):
    rows = [(*one[:-1], str(one[-1])) if isinstance(row[-1], str) else one for one in INDONESIAN]
    data = write_published(tmp_path, [row, *rows] if isinstance(row[-1], str) else [*rows, row])
    number = 1 if isinstance(row[-1], str) else len(rows) + 1
    place = rf"\(row {number} of {data}/id/test.id.jsonl\)"
    message = rf"document {number} of task 'xcopa_id' {place} to fit its prompts, but .*{words}.*; correct the data\.$"
    with pytest.raises(ValueError, match=message) as caught:
        load_tasks({"ind_Latn": "xcopa_id"}, folders=["xcopa"], files=FILES, data=data)
    assert "\n" not in str(caught.value)
    if number > 1:  # those that are not asked may be anything
        load_tasks({"ind_Latn": "xcopa_id"}, folders=["xcopa"], files=FILES, data=data, limit=len(rows))


def test_labels_may_be_words(tmp_path):
    mine = write_task(tmp_path, doc_to_target="{{[choice1, choice2][label]}}")
    load_tasks({"eng_Latn": "because"}, include=mine)
    with pytest.raises(ValueError, match="answer is 'The', which is neither"):
        load_tasks({"eng_Latn": "because"}, include=write_task(tmp_path, doc_to_target="The"))
