"""Histories of runs and money: nothing runs, the budget or the capacity ends."""

from embedding_assets_tests.ops.rule_cases.case import Case, fires, last_seen, silent
from embedding_assets_tests.ops.rule_cases.queue import PROCESSED, REJECTED, WAITING

_TICKED = "embedding_scheduler_last_tick_timestamp_seconds"
_SUCCEEDED = 'embedding_run_last_success_timestamp_seconds{collection="docs",job="embed_documents"}'
_POLLED = 'embedding_run_last_success_timestamp_seconds{collection="docs",job="sync_sources"}'
_BUDGET = 'embedding_budget_used_ratio{collection="docs",period="day"}'
_EXHAUSTED = 'embedding_forecast_exhaustion_timestamp_seconds{resource="disk"}'
_DAY = 86_400

CASES = (
    fires(
        "EmbeddingSchedulerStopped",
        "the daemon has ticked every minute, and not for twelve",
        "32m",
        {_TICKED: last_seen(40, step=1, stops_at=20)},
    ),
    silent(
        "EmbeddingSchedulerStopped",
        "a restart takes four minutes",
        "24m",
        {_TICKED: last_seen(24, step=1, stops_at=20)},
    ),
    fires(
        "EmbeddingNoRunSucceeding",
        "five documents are ready, runs fail, and polls succeed",
        "20m",
        {WAITING: "5x30", PROCESSED: "10x30", _SUCCEEDED: "60x30", _POLLED: "0+60x30"},
    ),
    fires("EmbeddingNoRunSucceeding", "no run ever succeeded", "20m", {WAITING: "5x30", PROCESSED: "0x30"}),
    fires(
        "EmbeddingNoRunSucceeding",
        "runs succeed without taking anything, and no limit keeps them back",
        "20m",
        {WAITING: "5x30", PROCESSED: "10x30", REJECTED: "4x30", _SUCCEEDED: "0+60x30"},
    ),
    silent(
        "EmbeddingNoRunSucceeding",
        "one long run publishes a document every five minutes",
        "40m",
        {WAITING: "500x60", PROCESSED: " ".join(f"{minute // 5}" for minute in range(50)), _SUCCEEDED: "60x60"},
    ),
    silent(
        "EmbeddingNoRunSucceeding",
        "the collection is paused",
        "20m",
        {
            WAITING: "5x30",
            PROCESSED: "10x30",
            _SUCCEEDED: "60x30",
            'embedding_collection_paused{collection="docs"}': "1x30",
        },
    ),
    silent(
        "EmbeddingNoRunSucceeding",
        "documents are ready for ten minutes only",
        "25m",
        {WAITING: "0x14 5x30", PROCESSED: "10x60", _SUCCEEDED: "60x60"},
    ),
    silent(
        "EmbeddingNoRunSucceeding",
        "runs succeed and the limit keeps them back",
        "20m",
        {WAITING: "5x30", PROCESSED: "10x30", REJECTED: "0+1x30", _SUCCEEDED: "0+60x30"},
    ),
    silent(
        "EmbeddingNoRunSucceeding",
        "Prometheus has only just been started, and documents are ready",
        "4m",
        {WAITING: "5x30", PROCESSED: "10x30", _SUCCEEDED: "60x30"},
    ),
    Case(
        "EmbeddingNoRunSucceeding",
        "the budget of the day is used up, which has an alert of its own",
        "20m",
        {WAITING: "5x30", PROCESSED: "10x30", _SUCCEEDED: "60x30", _BUDGET: "1x30"},
        ("EmbeddingBudgetReached", "EmbeddingBudgetNearlyReached"),
    ),
    fires("EmbeddingBudgetReached", "all of it is spent", "7m", {_BUDGET: "0.5x5 1x9"}),
    fires("EmbeddingBudgetNearlyReached", "ninety-nine of a hundred are spent", "9m", {_BUDGET: "0.99x20"}),
    silent("EmbeddingBudgetNearlyReached", "seventy-nine of a hundred are spent", "9m", {_BUDGET: "0.79x20"}),
    Case(
        "EmbeddingBudgetReached",
        "not quite all of it is spent",
        "9m",
        {_BUDGET: "0.999x20"},
        ("EmbeddingBudgetNearlyReached",),
    ),
    fires("EmbeddingCapacityExhaustedSoon", "the disk is full in ten days", "2h", {_EXHAUSTED: f"{10 * _DAY}x150"}),
    silent("EmbeddingCapacityExhaustedSoon", "the disk is full in twenty days", "2h", {_EXHAUSTED: f"{20 * _DAY}x150"}),
    silent("EmbeddingCapacityExhaustedSoon", "the disk lasts", "2h", {_EXHAUSTED: "0x150"}),
)
