from babelscope.training.scalars import layer_scalars


def row(layer="", metric="ilo", language="", other="", value=0.5):
    return {"layer": layer, "metric": metric, "language": language, "other": other, "value": value}


def test_one_scalar_per_metric_and_layer():
    rows = [row("0"), row("12", value=0.25), row("final"), row("3", "named/ilo", value=1.0)]
    assert layer_scalars(rows) == {
        "ilo/layer_00": 0.5,
        "ilo/layer_12": 0.25,
        "ilo/layer_final": 0.5,
        "named/ilo/layer_03": 1.0,
    }


def test_languages_pairs_and_task_scores_stay_in_the_table():
    rows = [row("0", language="eng_Latn"), row("0", language="eng_Latn", other="deu_Latn"), row("", "test_loss")]
    assert layer_scalars(rows) == {}
