"""Histories of the error budgets. A burn is named by alert, severity and long window."""

from embedding_assets_tests.ops.rule_cases.case import Case

_FRESH, _SUCCESS, _LATENCY = (f"Embedding{name}BudgetBurn" for name in ("Freshness", "Success", "Latency"))
_MET = 'embedding_freshness_sla_documents_total{collection="docs",result="met"}'
_MISSED = 'embedding_freshness_sla_documents_total{collection="docs",result="missed"}'
_WELL = 'embedding_changes_total{collection="docs",result="success"}'
_BADLY = 'embedding_changes_total{collection="docs",result="failure"}'
_IN_TIME = 'embedding_document_duration_seconds_bucket{collection="docs",waiting="included",le="30.0"}'
_ALL_TIMES = 'embedding_document_duration_seconds_count{collection="docs",waiting="included"}'
_WITHOUT_WAITING = 'embedding_document_duration_seconds_count{collection="docs",waiting="excluded"}'


def _burn(alert: str, *policies: str) -> tuple[str, ...]:
    return tuple(f"{alert} {policy}" for policy in policies)


_FAST, _SLOW, _DAY, _DAYS = "page 1h", "page 6h", "ticket 1d", "ticket 3d"

CASES = (
    Case(
        _FRESH,
        "after eight good hours nothing is published in time for twelve minutes",
        "493m",
        {_MET: "0+10x480 4800x30", _MISSED: "0x481 10+10x30"},
        _burn(_FRESH, _FAST),
    ),
    Case(
        _FRESH,
        "the same, over for seven minutes: what is over pages nobody",
        "500m",
        {_MET: "0+10x480 4800x12 4810+10x30", _MISSED: "0x481 10+10x11 120x40"},
    ),
    Case(
        _FRESH,
        "one in seven is missed, not quite enough for the fast page",
        "62m",
        {_MET: "0+86x70", _MISSED: "0+14x70"},
        _burn(_FRESH, _SLOW, _DAY),
    ),
    Case(
        _FRESH,
        "after six good hours one in ten is missed for five",
        "661m",
        {_MET: "0+10x360 3609+9x400", _MISSED: "0x360 1+1x400"},
        _burn(_FRESH, _DAY, _DAYS, _SLOW),
    ),
    Case(
        _FRESH,
        "four in a hundred, for five hours",
        "5h",
        {_MET: "0+96x400", _MISSED: "0+4x400"},
        _burn(_FRESH, _DAY, _DAYS),
    ),
    Case(
        _FRESH, "two in a hundred, for five hours", "5h", {_MET: "0+98x400", _MISSED: "0+2x400"}, _burn(_FRESH, _DAYS)
    ),
    Case(_FRESH, "nine in a thousand, which the budget has room for", "5h", {_MET: "0+991x400", _MISSED: "0+9x400"}),
    Case(_FRESH, "nothing happens at all", "5h", {_MET: "7x400", _MISSED: "3x400"}),
    Case(_FRESH, "two of two are missed, and no more", "70m", {_MET: "0x400", _MISSED: "0x20 1x20 2x400"}),
    Case(
        _SUCCESS,
        "one change in twenty fails, for an hour",
        "75m",
        {_WELL: "0+19x100", _BADLY: "0+1x100"},
        _burn(_SUCCESS, _FAST, _SLOW, _DAY),
    ),
    Case(_SUCCESS, "one of sixty documents fails, and nobody is woken", "64m", {_WELL: "0+1x100", _BADLY: "0x60 1x40"}),
    Case(
        _SUCCESS,
        "nine of nine hundred failed over three hours: too few for a ticket",
        "200m",
        {_WELL: "0+5x300", _BADLY: "0x20 1x19 2x19 3x19 4x19 5x19 6x19 7x19 8x19 9x120"},
        _burn(_SUCCESS, _SLOW),
    ),
    Case(
        _LATENCY,
        "four of five documents take longer than thirty seconds",
        "63m",
        {_ALL_TIMES: "0+10x100", _IN_TIME: "0+2x100"},
        _burn(_LATENCY, _FAST, _SLOW, _DAY),
    ),
    Case(
        _LATENCY,
        "four in a hundred take longer than thirty seconds",
        "5h",
        {_ALL_TIMES: "0+100x400", _IN_TIME: "0+96x400"},
    ),
    Case(
        _LATENCY,
        "without waiting for the limit is a diagnostic, and no objective",
        "65m",
        {_ALL_TIMES: "0+10x100", _IN_TIME: "0+10x100", _WITHOUT_WAITING: "0+90x100"},
    ),
)
