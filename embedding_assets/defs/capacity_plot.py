"""The plot of a capacity forecast: arrivals with their band against what limit and workers let through; what fills up."""

from datetime import date, timedelta

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from embedding_assets.defs.plots import figure
from embedding_assets.domain.capacity import HORIZONS, CapacityReport, Outlook
from embedding_assets.domain.forecast import Projection

_LINES = {"rate_limit": ("tab:red", "the limit's ceiling"), "workers": ("tab:purple", "workers")}
_HOURS = 24


def capacity_figure(report: CapacityReport) -> Figure:
    """Two panels: arrivals, and how full each resource is now and will be."""
    drawn = figure(2)
    above, below = drawn.subplots(2, 1)
    _draw_arrivals(above, report)
    _draw_fullness(below, report)
    return drawn


def _draw_arrivals(axes: Axes, report: CapacityReport) -> None:
    axes.set_title("Documents that arrive each day", loc="left")
    if report.history is not None:
        axes.plot(
            _days(report.history.first, len(report.history.values)),
            report.history.values,
            color="tab:gray",
            linewidth=1,
            label="arrived",
        )
    if isinstance(report.arrivals, Projection):
        made = report.arrivals
        ahead = _days(made.first, len(made.estimate))
        axes.plot(ahead, made.estimate, color="tab:blue", label="forecast")
        axes.fill_between(ahead, made.low, made.high, color="tab:blue", alpha=0.2, label="8 of 10 days")
    top = axes.get_ylim()[1]
    for resource, (color, label) in _LINES.items():
        most = report.capacity_of(resource)
        # A line far above everything else would flatten what is to be seen; its number is in the table.
        if most is not None and most * _HOURS < 5 * top:
            axes.axhline(most * _HOURS, color=color, linestyle="--", label=f"{label}: {most * _HOURS:,.0f} a day")
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="upper left", fontsize="small")
    else:
        axes.text(
            0.5, 0.5, "no history yet: each day's standings are kept from now on", ha="center", transform=axes.transAxes
        )


def _draw_fullness(axes: Axes, report: CapacityReport) -> None:
    axes.set_title(f"Part of it that is used: now, and in {HORIZONS[-1]} days (band of 80 %)", loc="left")
    known = [one for one in report.outlooks if one.used is not None and one.capacity]
    for place, one in enumerate(known):
        _draw_bar(axes, place, one)
    axes.set_yticks(range(len(known)), [one.resource.replace("_", " ") for one in known])
    axes.axvline(100, color="tab:red", linestyle="--")
    axes.invert_yaxis()
    axes.set_xlim(0, max(110.0, min(axes.get_xlim()[1], 300.0)))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0f} %")


def _draw_bar(axes: Axes, place: int, one: Outlook) -> None:
    assert one.used is not None
    assert one.capacity
    part = 100 / one.capacity
    axes.barh(place, one.used * part, color="tab:gray", height=0.5)
    if one.ahead:
        low, estimate, high = (value * part for value in one.ahead[HORIZONS[-1]])
        error = [[estimate - low], [high - estimate]]
        axes.errorbar(estimate, place, xerr=error, fmt="o", color="tab:blue", capsize=4)


def _days(first: date, count: int) -> "NDArray[np.datetime64]":
    return np.array([first + timedelta(days=number) for number in range(count)], dtype=np.datetime64)
