"""The job that brings up to date what is stale, and its hourly schedule. What is stale and what it costs is the engine's affair.

By hand it spends what its config approves; by schedule what EMBEDDING_ASSETS_AUTO_REEMBED_MAX_USD allows.
"""

from datetime import timedelta

import dagster as dg
from pydantic import Field

from embedding_assets.defs import names
from embedding_assets.defs.interruption import run_interruptibly
from embedding_assets.defs.resources import PrometheusMetrics, Workbenches, clear_failures
from embedding_assets.defs.ticks import Tick, reembed_tick
from embedding_assets.domain.reembedding import Approval, Decision
from embedding_assets.pipeline.reembedding import ReembedOutcome, reembed

# It holds no claim and no shard, so it is in nobody's way: a large collection is built for hours.
LONGEST_RUN = timedelta(days=1)


class ReembedConfig(dg.Config):
    """What a run by hand may spend; the schedule sets `in_full` to false."""

    approve: bool = Field(False, description="Spend what it costs. The log of a run without it says how much that is.")
    max_usd: float | None = Field(None, ge=0, description="Do not begin where it would cost more than this.")
    in_full: bool = Field(
        True, description="Count everything that is stale, and not only until it costs more than may be spent."
    )


def build_reembedding(collection: str) -> dg.Definitions:
    """The job and its schedule."""

    @dg.op(name=names.reembed_step(collection))
    def reembed_stale(
        context: dg.OpExecutionContext,
        config: ReembedConfig,
        workbenches: dg.ResourceParam[Workbenches],
        embedding_metrics: dg.ResourceParam[PrometheusMetrics],
    ) -> None:
        with clear_failures(), embedding_metrics.recorded("reembed_stale_documents", collection):
            outcome = run_interruptibly(_reembed(workbenches, collection, context.run_id, config))
        context.log.info(summary(outcome))
        context.add_output_metadata(numbers(outcome))
        if outcome.built and not outcome.built.cut_over:
            raise dg.Failure(summary(outcome), metadata=numbers(outcome), allow_retries=False)

    @dg.job(
        name=names.reembed_job(collection),
        description="Makes missing vectors again, builds another model, and queues what another chunker cut.",
        tags=names.max_runtime_tag(int(LONGEST_RUN.total_seconds())),
        executor_def=dg.in_process_executor,
    )
    def reembed_stale_documents() -> None:
        reembed_stale()

    @dg.schedule(
        name=f"{collection}__hourly_reembedding",
        job=reembed_stale_documents,
        cron_schedule="47 * * * *",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Starts it where something is stale; it spends only what needs no approval.",
    )
    def hourly(context: dg.ScheduleEvaluationContext, workbenches: dg.ResourceParam[Workbenches]) -> Tick:
        return reembed_tick(context.instance, workbenches, collection, LONGEST_RUN)

    return dg.Definitions(jobs=[reembed_stale_documents], schedules=[hourly])


def summary(outcome: ReembedOutcome) -> str:
    """One sentence for the log."""
    found = outcome.estimate
    cost = f"{found.to_send} inputs, about {found.tokens} tokens, {found.usd:.4f} USD"
    cost = cost if found.complete else f"more than {cost}"
    match outcome.decision:
        case Decision.NOTHING_STALE:
            return "nothing is stale"
        case Decision.NEEDS_APPROVAL:
            return f"nothing was sent: {cost} need approval; run this job with approve: true"
        case Decision.TOO_DEAR:
            return f"nothing was sent: {cost} are more than max_usd"
        case Decision.BEGIN:
            return f"{cost}: {_done(outcome)}"


def numbers(outcome: ReembedOutcome) -> dict[str, int | float | str]:
    """What is stale by reason, what it costs, and what was done."""
    found, built = outcome.estimate, outcome.built
    return {
        "decision": outcome.decision.value,
        "documents_of_another_chunker": found.chunker.documents,
        "documents_not_built": found.model.documents,
        "inputs_without_vector": found.vectors.to_send,
        "inputs_to_send": found.to_send,
        "tokens_to_send": found.tokens,
        "usd": round(found.usd, 6),
        "queued": outcome.queued,
        "repaired": outcome.repaired.repaired if outcome.repaired else 0,
        "built": built.documents if built else 0,
        "cut_over": int(bool(built and built.cut_over)),
        "requests": outcome.requests.requests,
        "tokens_sent": outcome.requests.tokens,
        "cost_usd": round(outcome.requests.cost_usd, 6),
    }


def _done(outcome: ReembedOutcome) -> str:
    done = [f"{outcome.repaired.repaired} vectors made again"] if outcome.repaired else []
    built = outcome.built
    if built:
        done.append(f"{built.documents} documents built")
        done.append(
            "search answers from the new model" if built.cut_over else _unfinished(built.lacking, built.refusals.errors)
        )
    return ", ".join([*done, f"{outcome.queued} documents queued"])


def _unfinished(lacking: int, refused: dict[str, int]) -> str:
    kinds = ", ".join(f"{count} {error}" for error, count in sorted(refused.items()))
    why = f"the new model refused inputs: {kinds}" if kinds else "another builder works them, or did"
    return f"{lacking} documents not built ({why})"


async def _reembed(workbenches: Workbenches, collection: str, run_id: str, config: ReembedConfig) -> ReembedOutcome:
    approval = Approval(config.approve, config.max_usd, workbenches.settings.auto_reembed_max_usd)
    async with workbenches.open(collection, run_id=run_id) as bench:
        return await reembed(bench, approval, in_full=config.in_full)
