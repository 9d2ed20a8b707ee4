from tests.report.study.test_tables import select, study_of
from tests.report.study_runs import make_run, make_study

from babelscope.report.study import directions, studies, tables
from babelscope.report.study.replicates import replicate_of


def test_unfinished_and_missing_runs_are_listed_and_count_in_no_mean():
    runs = [*make_study(("none", "early"), range(3))[:-1], make_run("early", 2, tested=False)]
    found = study_of(runs)
    assert [(run.setting, run.seed) for run in found.left_out] == [("early", "2")]
    assert studies.missing_units(found).to_dict("records") == [{"setting": "early", "source": "eng_Latn", "seed": "2"}]
    assert select(tables.summarise(tables.unit_values(found)), setting="early", quantity="source")["n"].item() == 2


def test_runs_of_one_unit_count_once():
    runs = make_study(("none",), range(2))
    found = study_of([*runs, runs[0]])
    assert studies.repeated_units(found) == [("none", "eng_Latn", "0")]
    assert tables.unit_values(found).equals(tables.unit_values(study_of(runs)))


def test_models_and_tasks_are_studies_of_their_own():
    runs = [*make_study(("none",), (0,)), *make_study(("none",), (0,), task="lm"), make_run(model="lab_bloom")]
    found = studies.studies_of([replicate_of(run) for run in runs])
    assert [(one.model, one.task, one.score) for one in found] == [
        ("lab_bloom", "topic", "accuracy"),
        ("lab_xlmr", "topic", "accuracy"),
        ("lab_xlmr", "lm", "loss"),
    ]


def test_scores_have_a_better_way_or_none():
    metrics = ("mexa", "separability", "knn_lid", "hubness", "isoscore", "total_variance", "random_cosine")
    assert [directions.direction_of(metric) for metric in metrics] == [1, -1, -1, 0, 0, 0, 0]
    assert studies.primary_scores(study_of(make_study(("none",), (0,), metrics=metrics[3:]))) == []
    assert studies.primary_scores(study_of(make_study(("none",), (0,), metrics=metrics[1:]))) == ["separability"]
