"""Requests of one run: each waits for the limit and for its turn, what may pass is tried again, all of it is counted.

Not here: which inputs make a batch (embedding), who is to blame when one fails (isolating), the provider's API (providers).
"""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import anyio

from embedding_assets.domain.backoff import retry_wait, throttled_wait
from embedding_assets.domain.concurrency import ConcurrencyWindow
from embedding_assets.domain.failures import (
    ErrorType,
    EverybodysFailure,
    FailureClass,
    ProviderError,
    StoreError,
    WireFormatRefused,
)
from embedding_assets.domain.limits import LimitWait
from embedding_assets.domain.models import input_hash
from embedding_assets.domain.packing import estimate_tokens
from embedding_assets.domain.ports import EmbeddingReply
from embedding_assets.domain.work import Lane, Stage
from embedding_assets.pipeline.limiting import NoRoom, SharedLimit
from embedding_assets.pipeline.places import Places
from embedding_assets.pipeline.request_counts import RequestCounts, Waited
from embedding_assets.pipeline.workbench import Workbench
from embedding_assets.store.rate_limiter import Reservation
from embedding_assets.telemetry.durable import API_REQUEST_DURATION, API_REQUESTS, COST_USD, ERRORS, TOKENS
from embedding_assets.telemetry.labels import status_label


@dataclass(frozen=True, slots=True)
class Input:
    """A text to embed and the hash its vector is stored under; `tokens` is a high estimate."""

    input_hash: bytes
    text: str
    tokens: int
    lane: Lane


# What no provider has a reason to refuse: sent to learn whether a failure is an input's or everybody's, or whether it is over.
_HARMLESS_TEXT = "A sentence."
_HARMLESS = Input(input_hash(_HARMLESS_TEXT), _HARMLESS_TEXT, estimate_tokens(_HARMLESS_TEXT), Lane.BACKFILL)

# Too many requests at once may be the reason: fewer are sent together.
_OVERLOADED = frozenset({ErrorType.RATE_LIMITED, ErrorType.PROVIDER_UNAVAILABLE, ErrorType.PROVIDER_TIMEOUT})


class Requester:
    """Sends the requests of one run. `counts` is what was sent so far; a request waits for the limit for `hold_seconds` at most.

    Once `stopped_by` is set, what is not under way is held back.
    """

    def __init__(self, bench: Workbench, *, hold_seconds: float | None = None) -> None:
        self._bench = bench
        self._good_replies = 0
        self._window = ConcurrencyWindow(bench.pace.requests_at_once)
        self._places = Places(self._window.places)
        self._counts = RequestCounts()
        hold = bench.pace.throttle_hold if hold_seconds is None else hold_seconds
        self.limit = SharedLimit(bench, hold_seconds=hold)
        self.stopped_by: LimitWait | None = None

    @property
    def counts(self) -> RequestCounts:
        """What was asked so far."""
        self._counts.throttled_seconds = self.limit.clock.seconds
        return self._counts

    @property
    def good_replies(self) -> int:
        """Replies of this run that held at least one usable vector."""
        return self._good_replies

    async def request(self, inputs: Sequence[Input], waited: Waited | None = None) -> EmbeddingReply:
        """The checked reply to these inputs together, with the limit and the short retries; `waited` is told how long.

        Raises:
            NoRoom: the limit has no room for it.
            EverybodysFailure: no vector of it is usable, nor is a harmless input's.
            ProviderError: what the provider answered in the end.
        """
        reply = await self._ask(inputs, waited=waited)
        if len(reply.rejected) == len(inputs) and not self._good_replies:
            await self.require_better(_refusal(reply))
        return reply

    async def require_better(self, error: ProviderError) -> None:
        """Raise where a harmless input fares no better than those that met this error.

        Raises:
            NoRoom: the limit has no room for it.
            EverybodysFailure: it does not: the run fails, and no document is charged.
        """
        try:
            fares_better = not (await self._ask([_HARMLESS])).rejected
        except ProviderError:
            fares_better = False
        if not fares_better:
            message = f"{error}; a harmless input fared no better, so no document was charged with it"
            raise EverybodysFailure(error.error_type, message, status=error.status) from None

    async def ask(self, text: str, lane: Lane) -> EmbeddingReply:
        """The checked reply to one text, which is not stored; with the limit and the short retries of any request.

        Raises:
            NoRoom: the limit has no room for it.
            ProviderError: what the provider answered in the end.
        """
        return await self._ask([Input(input_hash(text), text, estimate_tokens(text), lane)])

    async def probe(self) -> None:
        """Send the harmless text, once, before anything else may pass.

        Raises:
            NoRoom: the limit has no room for it.
            ProviderError: what everybody met is not over; `rate_limited` too, which the limit has heard of.
        """
        reply = await self._ask([replace(_HARMLESS, lane=Lane.LIVE)], once=True)
        if reply.rejected:
            raise _refusal(reply)

    async def _ask(
        self, inputs: Sequence[Input], *, once: bool = False, waited: Waited | None = None
    ) -> EmbeddingReply:
        """One answer, with short retries for what may pass, unless asked `once`; being throttled spends no try."""
        tries = 0
        await self._bench.embedder.prepare()
        while True:
            try:
                return await self._request(inputs, Waited() if waited is None else waited)
            except WireFormatRefused:
                continue
            except ProviderError as error:
                self._counts.count_error(error.error_type)
                if error.failure_class is FailureClass.THROTTLED:
                    await self.limit.refused(throttled_wait(error.retry_after, luck=random.random()))
                    if not once:
                        self._count_passing(error)
                        continue
                tries += 1
                may_pass = (
                    error.failure_class is FailureClass.TRANSIENT or error.error_type is ErrorType.CONNECTION_FAILED
                )
                if once or not may_pass or tries >= self._bench.pace.request_tries:
                    raise
                self._count_passing(error)
                await anyio.sleep(retry_wait(error.retry_after, tries, luck=random.random()))

    async def _request(self, inputs: Sequence[Input], waited: Waited) -> EmbeddingReply:
        """The limit is waited for without a place: backfill that is paced would hold all four, with live requests behind it."""
        lane = Lane.LIVE if any(one.lane is Lane.LIVE for one in inputs) else Lane.BACKFILL
        held = 0.0
        while True:
            async with self._places.place(lane):
                answer = await self._reserve(inputs, lane)
                if isinstance(answer, Reservation):
                    return await self._send(inputs, answer)
            seconds = await self.limit.hold(answer, held)
            held += seconds
            waited.seconds += seconds

    async def _send(self, inputs: Sequence[Input], reservation: Reservation) -> EmbeddingReply:
        sent_in_round = self._window.rounds
        self._counts.requests += 1
        self._counts.inputs += len(inputs)
        started = time.monotonic()
        try:
            reply = await self._bench.embedder.embed([one.text for one in inputs])
        except ProviderError as error:
            self._count_answer(status_label(error.error_type, error.status), started)
            reservation = await self.limit.answered(reservation, inputs=len(inputs))
            if error.status is not None:
                await self.limit.refund(reservation)
            if error.error_type in _OVERLOADED:
                self._window.refused(sent_in_round)
            raise
        else:
            self._count_answer("200", started)
            self._window.went_well()
        finally:
            self._places.resize(self._window.places)
        self._good_replies += len(reply.rejected) < len(inputs)
        await self._account(await self.limit.answered(reservation, inputs=len(inputs)), reply)
        return reply

    def _count_answer(self, status: str, started: float) -> None:
        held, model = self._bench.ledger.held, self._bench.target.model.name
        API_REQUESTS.add(held, model, status)
        API_REQUEST_DURATION.observe(held, time.monotonic() - started, model)

    def _count_passing(self, error: ProviderError) -> None:
        """An error that is tried again is nobody's: neither a document nor a run is going to count it."""
        error_type = error.error_type.value
        ERRORS.add(self._bench.ledger.held, self._bench.target.name, Stage.EMBEDDING.value, error_type)

    async def _account(self, reservation: Reservation, reply: EmbeddingReply) -> None:
        tokens = reservation.tokens if reply.tokens is None else reply.tokens
        usd = self._usd(tokens) if reply.cost_usd is None else reply.cost_usd
        self._counts.tokens += reply.tokens or 0
        self._counts.cost_usd += reply.cost_usd or 0.0
        self._counts.reordered_replies += reply.reordered
        TOKENS.add(self._bench.ledger.held, self._bench.target.model.name, by=tokens)
        COST_USD.add(self._bench.ledger.held, self._bench.target.model.name, by=usd)
        await self.limit.correct(reservation, tokens=tokens, usd=usd)

    async def _reserve(self, inputs: Sequence[Input], lane: Lane) -> Reservation | LimitWait:
        if self.stopped_by is not None:
            raise NoRoom(self.stopped_by)
        tokens = sum(one.tokens for one in inputs)
        try:
            return await self.limit.reserve(lane, inputs=len(inputs), tokens=tokens, usd=self._usd(tokens))
        except StoreError as error:
            if error.error_type is not ErrorType.INVALID_DATA:
                raise
            # It is larger than the limit's ceiling: halving may help it, waiting never will.
            raise ProviderError(ErrorType.TOO_LARGE, str(error)) from None

    def _usd(self, tokens: int) -> float:
        """An unknown price counts as the configured one: a budget that counts nothing would hold nothing."""
        price = self._bench.embedder.usd_per_million_tokens
        return tokens * (self._bench.pace.unknown_usd_per_million_tokens if price is None else price) / 1e6


def _refusal(reply: EmbeddingReply) -> ProviderError:
    first = reply.rejected[0]
    return ProviderError(first.error_type, f"no vector of a reply was usable: {first.detail}")
