"""A dashboard as a workspace of wandb, which is made there on request only."""

from typing import Any

import wandb

from babelscope.verbs.mirror.dashboard import Dashboard, Panel


def make_workspace(dashboard: Dashboard, *, entity: str, project: str) -> Any:
    """Turn a dashboard into wandb's own object, without a server.

    Raises:
        ValueError: if wandb-workspaces is not installed.
    """
    ws = import_workspaces()
    return ws.Workspace(
        entity=entity,
        project=project,
        name=f"{dashboard.name}: {', '.join(dashboard.sweeps)}",
        sections=[
            ws.Section(name=section.name, panels=[_panel(panel) for panel in section.panels], is_open=True)
            for section in dashboard.sections
        ],
        settings=ws.WorkspaceSettings(max_runs=100),
        runset_settings=ws.RunsetSettings(filters=[ws.Metric("Group").isin(list(dashboard.sweeps))]),
    )


def send_workspace(dashboard: Dashboard, *, entity: str | None, project: str) -> str:
    """Make the workspace in the account, where each call makes another; gives its address.

    Raises:
        ValueError: if wandb-workspaces is not installed, there is no account, or the server refuses.
    """
    try:
        owner = entity or wandb.Api().default_entity
        return str(make_workspace(dashboard, entity=owner, project=project).save().url)
    except (wandb.Error, OSError) as error:
        raise ValueError(
            f"Expected wandb to take the workspace, but got: {' '.join(str(error).split())}; log in by `wandb login`, "
            "and see that `dashboard.entity` and `dashboard.project` are yours."
        ) from error


def _panel(panel: Panel) -> Any:
    from wandb_workspaces.reports import v2 as wr

    keys, by = list(panel.keys), {"groupby": wr.Config(panel.by)} if panel.by else {}
    if panel.kind == "lines":
        spread: dict[str, Any] = {"groupby_aggfunc": "mean", "groupby_rangefunc": "minmax"} if by else {}
        return wr.LinePlot(title=panel.title, x=panel.x or "Step", y=keys, **by, **spread)
    if panel.kind == "bars":
        return wr.BarPlot(title=panel.title, metrics=keys, **by)
    if panel.kind == "scatter":
        return wr.ScatterPlot(
            title=panel.title, x=wr.SummaryMetric(panel.x), y=wr.SummaryMetric(keys[0]), regression=True
        )
    return wr.MediaBrowser(title=panel.title, media_keys=keys)


def import_workspaces() -> Any:
    """Import what a workspace is made of.

    Raises:
        ValueError: if wandb-workspaces is not installed.
    """
    try:
        from wandb_workspaces import workspaces
    except ImportError as error:
        raise ValueError(
            "Expected wandb-workspaces to be installed, which a dashboard is sent by, but got none; pip install "
            "'babelscope[dashboard]'."
        ) from error
    return workspaces
