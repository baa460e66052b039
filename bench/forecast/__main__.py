"""`make bench-forecast`: errors of our forecast and of plain lines, from nine moments of twenty draws of each history."""

from collections.abc import Callable
from datetime import date

import numpy as np

from bench.forecast.histories import HISTORIES, Days, with_gaps
from embedding_assets.domain.forecast import History, Projection, forecast, relative_error

_DRAWS = 20
_MOMENTS = (60, 90, 120, 150, 165, 180, 210, 240, 270)
_HORIZONS = (30, 90)
Line = Callable[[Days, int], Days]


def _ours(past: Days, days: int) -> Projection:
    made = forecast(History(date(2026, 1, 5), past), weekly=True, days=days)
    assert isinstance(made, Projection)
    return made


def _line_through(last: int | None) -> Line:
    def line(past: Days, days: int) -> Days:
        number = np.arange(len(past))
        used = ~np.isnan(past) & (number >= len(past) - (last or len(past)))
        slope, level = map(float, np.polyfit(number[used], past[used], 1))
        ahead = np.arange(len(past), len(past) + days, dtype=np.float64)
        return np.maximum(slope * ahead + level, 0.0)

    return line


def _mean_of_four_weeks(past: Days, days: int) -> Days:
    return np.full(days, float(np.nanmean(past[-28:])))


_OTHERS: dict[str, Line] = {
    "least squares": _line_through(None),
    "line, last fortnight": _line_through(14),
    "mean, last 4 weeks": _mean_of_four_weeks,
}


def _errors(name: str, days: int) -> tuple[dict[str, list[float]], list[float], list[float]]:
    """Errors of each way, the part of days our band held, and what our back-test had said of itself."""
    errors: dict[str, list[float]] = {way: [] for way in ("ours", *_OTHERS)}
    inside: list[float] = []
    said: list[float] = []
    for draw in range(_DRAWS):
        random = np.random.default_rng(draw)
        whole = HISTORIES[name](random)
        recorded = with_gaps(name, whole, random)
        for moment in _MOMENTS:
            past, later = recorded[:moment], whole[moment : moment + days]
            made = _ours(past, days)
            errors["ours"].append(relative_error(made.estimate, later))
            inside.append(float(((later >= made.low) & (later <= made.high)).mean()))
            said += [made.backtest.error] if made.backtest else []
            for way, line in _OTHERS.items():
                errors[way].append(relative_error(line(past, days), later))
    return errors, inside, said


def main() -> None:
    """Print the table; means over all moments and draws, and how often ours was the nearest."""
    print(f"{'mean error of whole weeks':<28}" + "".join(f"{way:>22}" for way in ("ours", *_OTHERS)))
    for days in _HORIZONS:
        for name in HISTORIES:
            errors, inside, said = _errors(name, days)
            print(f"{name + f', {days} d':<34}" + "".join(f"{np.mean(errors[way]):>16.1%}      " for way in errors))
            table = np.array(list(errors.values()))
            nearest = float((table[0] <= table[1:].min(axis=0)).mean())
            print(
                f"    nearest in {nearest:.0%} of {table.shape[1]}; the band held {np.mean(inside):.0%} of days; "
                f"its own back-test had said {np.mean(said):.1%}"
            )


if __name__ == "__main__":
    main()
