from dataclasses import replace

from tests.report.study_runs import make_run

from babelscope.report.conditions import conditions_of, describe_differing, differing_conditions


def differing(*configs):
    runs = [
        replace(make_run("none", seed, source, steps=1), config={**config, "seed": seed, "task": {"language": source}})
        for seed, (source, config) in enumerate(configs)
    ]
    return differing_conditions([conditions_of(run) for run in runs])


def test_settings_seeds_places_and_what_follows_the_source_do_not_count():
    assert not differing(
        ("eng_Latn", {"freeze": {"share": 0.5}, "output": "a", "metrics": {"mexa": {"pivot": "eng_Latn"}}}),
        ("ind_Latn", {"alignment": {"weight": 1}, "output": "b", "metrics": {"mexa": {"pivot": "ind_Latn"}}}),
    )
    assert not differing(("eng_Latn", {"pivot": "eng_Latn"}), ("ind_Latn", {"pivot": "eng_Latn"}))
    assert not differing(("eng_Latn", {"data": {"seed": 0}, "limit": None}), ("eng_Latn", {"data": {"seed": 1}}))


def test_how_numbers_are_computed_and_shown_does_not_count():
    assert not differing(
        (
            "eng_Latn",
            {"device": "cpu", "neighbours": {"_target_": "a.torch"}, "trainer": {"enable_bar": True}},
        ),
        ("eng_Latn", {"device": "cuda", "neighbours": {"_target_": "a.faiss"}, "metrics": {"ilo": {"search": 2}}}),
    )


def test_everything_else_is_listed_with_its_values():
    found = differing(
        ("eng_Latn", {"trainer": {"max_epochs": 5}, "languages": {"codes": ["deu_Latn"]}}),
        ("eng_Latn", {"trainer": {"max_epochs": 5}, "languages": {"codes": ["deu_Latn"]}}),
        ("eng_Latn", {"trainer": {"max_epochs": 9}, "model": {"revision": "step=9"}}),
    )
    assert describe_differing(found) == [
        "trainer.max_epochs: 5 (2 runs); 9 (1 run)",
        'languages.codes: ["deu_Latn"] (2 runs); null (1 run)',
        'model.revision: null (2 runs); "step=9" (1 run)',
    ]
