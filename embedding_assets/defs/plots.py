"""A figure as Dagster shows it: a PNG inside Markdown, small enough for a row of the event log. Not here: what is drawn."""

import base64
from io import BytesIO

import dagster as dg
from matplotlib.figure import Figure

# 900 pixels wide at 90 dots per inch: some 60 kB in the event log.
_DOTS_PER_INCH = 90


def figure(panels: int, *, height: float = 2.6) -> Figure:
    """An empty figure as wide as Dagster's page; not pyplot's, which keeps every figure for ever."""
    return Figure(figsize=(10, height * panels), dpi=_DOTS_PER_INCH, layout="constrained")


def as_markdown(drawn: Figure, title: str) -> dg.MarkdownMetadataValue:
    """The figure, to be seen in the asset's metadata."""
    buffer = BytesIO()
    drawn.savefig(buffer, format="png")
    return dg.MetadataValue.md(f"![{title}](data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()})")
