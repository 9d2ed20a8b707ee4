"""What the guard saw and did: the drop of every watched layer, and its decisions."""

import pandas as pd
import plotly.graph_objects as go

from babelscope.report.figures.style import ACCENT, clean, depth_colours, draw, level, upright
from babelscope.report.table import sort_layers
from babelscope.report.words import plain


def frozen_up_to(layer: str) -> str:
    """Say what a decision freezes: layer "0" is the inputs, "3" the inputs and blocks 0 to 2."""
    if not layer.isdecimal():
        return f"all up to layer {layer}"
    return {"0": "inputs", "1": "inputs and block 0"}.get(layer, f"inputs and blocks 0-{int(layer) - 1}")


def describe_decision(row: pd.Series) -> str:
    """Say in words what a row of guard_freeze decided."""
    what = frozen_up_to(row["layer"])
    return f"At step {row['step']} it put {what} back to the weights of step {row['value']:.0f} and froze them."


def draw_guard(rows: pd.DataFrame, title: str) -> go.Figure:
    """Draw the fall of every watched layer over the steps of one run; a vertical line is a decision.

    Args:
        rows: rows of the run with the metrics guard_fall and guard_freeze.
        title: head of the figure.
    """
    falls, decisions = (rows[rows["metric"] == name] for name in ("guard_fall", "guard_freeze"))
    layers = sort_layers(falls["layer"].unique())
    traces = [
        go.Scatter(
            x=(line := falls[falls["layer"] == layer].sort_values("step"))["step"].tolist(),
            y=clean(line["value"]),
            mode="lines+markers",
            line={"color": shade, "width": 2},
            marker={"size": 5},
            hovertemplate=f"layer {plain(layer)}, step %{{x}}: dropped by %{{y:.3f}}<extra></extra>",
        )
        for layer, shade in zip(layers, depth_colours(len(layers)), strict=True)
    ]
    shapes, notes = [level(0)], []
    for place, (_, decision) in enumerate(decisions.sort_values("step").iterrows()):
        shapes.append(upright(int(decision["step"]), color=ACCENT, width=1.5, dash="dot"))
        notes.append(
            {
                "x": int(decision["step"]),
                "yref": "paper",
                "y": 1,
                "yshift": -15 * (place % 3),
                "text": plain(frozen_up_to(decision["layer"])),
                "showarrow": False,
                "xanchor": "left",
                "yanchor": "top",
                "xshift": 3,
                "font": {"size": 11, "color": ACCENT},
            }
        )
    return draw(
        traces,
        plain(title),
        height=290,
        xaxis={"title": {"text": "training steps"}, "showgrid": False, "nticks": 6},
        yaxis={"title": {"text": "drop since step 0"}},
        shapes=shapes,
        annotations=notes,
    )
