"""The plot of a report: how much of each error budget was left, hour by hour."""

from collections.abc import Sequence

from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from embedding_assets.defs.plots import figure
from embedding_assets.pipeline.objectives import Standing

_COLORS = {"freshness": "tab:blue", "success": "tab:green", "latency": "tab:orange"}


def budget_figure(found: Sequence[Standing]) -> Figure:
    """One panel, a line for each objective; below 0 its promise is broken."""
    drawn = figure(1, height=3.2)
    axes = drawn.subplots()
    axes.set_title("Error budget left", loc="left")
    for one in found:
        at = [past.at for past in one.past]
        left = [100 * past.budget_left for past in one.past]
        # A step: what an hour spent is known at its end.
        axes.step(
            at,  # pyright: ignore[reportArgumentType] matplotlib takes times
            left,
            where="post",
            color=_COLORS[one.objective.name],
            label=f"{one.objective.name}: {left[-1]:.0f} %",
            marker="o" if len(at) == 1 else None,
        )
    ticks = AutoDateLocator(maxticks=9)
    axes.xaxis.set_major_locator(ticks)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(ticks))
    axes.axhline(0, color="tab:red", linestyle="--")
    axes.set_ylim(bottom=min(-5.0, axes.get_ylim()[0]), top=105)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0f} %")
    axes.legend(loc="lower left", fontsize="small")
    return drawn
