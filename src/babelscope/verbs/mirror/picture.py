"""All metrics of a run in one picture, layers by steps: a menu chooses, for every picture that is logged is a file."""

import pandas as pd
import plotly.graph_objects as go

from babelscope.report.figures.layers import draw_heat_map
from babelscope.report.words import layer_metrics, plain, words_of


def draw_all_heat_maps(rows: pd.DataFrame) -> go.Figure | None:
    """Draw every metric of one run, layers (up) by steps (right), one shown at a time; None where there is none."""
    figures = {metric: draw_heat_map(rows, metric) for metric in layer_metrics(rows)}
    if not figures:
        return None
    first = next(iter(figures.values()))
    together = go.Figure([trace for figure in figures.values() for trace in figure.data], first.layout)
    for trace in together.data[len(first.data) :]:
        trace.visible = False
    shown = [metric for metric, figure in figures.items() for _ in figure.data]
    buttons = [
        {
            "label": plain(words_of(metric).name),
            "method": "update",
            "args": [{"visible": [name == metric for name in shown]}, {"title.text": figure.layout.title.text}],
        }
        for metric, figure in figures.items()
    ]
    together.update_layout(
        template="none",  # plotly's own would be most of the file
        margin={"t": 64, "l": 96},
        updatemenus=[{"buttons": buttons, "x": 1, "xanchor": "right", "y": 1.02, "yanchor": "bottom"}],
    )
    return together
