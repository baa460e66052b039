"""Histories of broken replies, broken rows and documents given up."""

from embedding_assets_tests.ops.rule_cases.case import fires, silent


def _errors(error_type: str) -> str:
    return f'embedding_errors_total{{collection="docs",stage="embedding",error_type="{error_type}"}}'


def _bad_rows(check: str) -> str:
    return f'embedding_stored_check_bad_rows{{collection="docs",check="{check}"}}'


def _failed(status: str) -> str:
    return f'embedding_failed_documents{{status="{status}",attempt="2"}}'


CASES = (
    *(
        fires("EmbeddingBadVectors", f"one reply is refused as {error_type}", "8m", {_errors(error_type): "0x5 1x40"})
        for error_type in ("dimension_mismatch", "non_finite", "zero_vector", "count_mismatch", "order_mismatch")
    ),
    fires(
        "EmbeddingBadVectors",
        "every reply is refused, and the circuit is open",
        "50m",
        {
            'embedding_circuit_open{provider="openai/embed of docs",reason="non_finite"}': "1x90",
            _errors("non_finite"): "0 1x90",
        },
    ),
    silent(
        "EmbeddingBadVectors", "time-outs, which are another matter", "20m", {_errors("provider_timeout"): "0+2x40"}
    ),
    silent("EmbeddingBadVectors", "one reply, forty minutes ago", "46m", {_errors("non_finite"): "0x5 1x60"}),
    fires(
        "EmbeddingStoredCheckFailed",
        "two chunks without a publication",
        "8m",
        {_bad_rows("no_orphaned_chunks"): "0x5 2x9"},
    ),
    fires("EmbeddingStoredCheckFailed", "the index is not valid", "8m", {_bad_rows("index_is_valid"): "1x20"}),
    silent(
        "EmbeddingStoredCheckFailed",
        "what is overdue has an alert of its own",
        "8m",
        {_bad_rows("nothing_is_overdue"): "9x20"},
    ),
    fires("EmbeddingDocumentsEscalated", "one document was given up", "7m", {_failed("escalated"): "1x20"}),
    silent("EmbeddingDocumentsEscalated", "a hundred are retried", "7m", {_failed("retrying"): "100x20"}),
    silent("EmbeddingDocumentsEscalated", "a person puts it back at once", "9m", {_failed("escalated"): "1x3 0x20"}),
)
