"""The simulated provider's HTTP face: OpenAI's embeddings protocol, and the switches for its faults.

`POST /v1/embeddings` answers; `POST /control` takes `{"fault": {...}}` or `{"limits": {...}}`; `GET /counters`,
`GET /arrivals` (`?since=` a monotonic time) and `POST /reset` do what they say. Not here: the server's socket and
thread (server), the reply's content (replies).
"""

import asyncio
import json
import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from embedding_assets_tests.simulator.faults import Fault, FaultKind, fault_from_json
from embedding_assets_tests.simulator.replies import error_body, reply_body
from embedding_assets_tests.simulator.traffic import Limits, Traffic

MAX_INPUTS = 2048


@dataclass(frozen=True, slots=True)
class Asked:
    """One embeddings request, as far as the simulation cares."""

    inputs: list[str]
    model: str
    dimensions: int
    encoding_format: str | None


class ProviderApp:
    """The simulated provider; `cut_connection` resets the connection of an (address, port)."""

    def __init__(self, dimensions: int, cut_connection: Callable[[tuple[str, int]], None]) -> None:
        self._dimensions = dimensions
        self._cut_connection = cut_connection
        self._faults: list[Fault] = []
        self.traffic = Traffic()
        self.asgi = Starlette(
            routes=[
                Route("/v1/embeddings", self.embeddings, methods=["POST"]),
                Route("/control", self.control, methods=["POST"]),
                Route("/counters", self.counters, methods=["GET"]),
                Route("/arrivals", self.arrivals, methods=["GET"]),
                Route("/reset", self.reset, methods=["POST"]),
            ]
        )

    async def embeddings(self, request: Request) -> Response:
        """Answer one embeddings request, or act out the faults that match it."""
        traffic = self.traffic
        asked = self._asked(await request.json())
        now = time.monotonic()
        arrival = traffic.received(now, asked.model, asked.inputs, request.scope["client"])
        status = "reset"
        try:
            response = await self._answer(asked, traffic, now)
            if response is None:
                self._cut_connection(request.scope["client"])
                return Response(status_code=500)
            status = str(response.status_code)
            _log_retry_after(response, traffic)
            return response
        finally:
            traffic.finished(arrival, status, asked.inputs)

    async def control(self, request: Request) -> Response:
        """Add a fault, or set the limits."""
        body: dict[str, Any] = await request.json()
        if "fault" in body:
            self._faults.append(fault_from_json(body["fault"]))
        if "limits" in body:
            self.traffic.limits = Limits(**body["limits"])
        return JSONResponse({})

    async def counters(self, _request: Request) -> Response:
        """What was seen since the start or the last reset."""
        return JSONResponse(self.traffic.counters())

    async def arrivals(self, request: Request) -> Response:
        """Each request since then, or since the start or the last reset."""
        since = float(request.query_params.get("since", "-inf"))
        return JSONResponse(self.traffic.arrivals.since(since).as_json())

    async def reset(self, _request: Request) -> Response:
        """Forget faults, limits and counts."""
        self._faults.clear()
        self.traffic = Traffic()
        return JSONResponse({})

    def _asked(self, body: dict[str, Any]) -> Asked:
        inputs: str | list[str] = body["input"]
        return Asked(
            inputs=[inputs] if isinstance(inputs, str) else inputs,
            model=body["model"],
            dimensions=body.get("dimensions") or self._dimensions,
            encoding_format=body.get("encoding_format"),
        )

    async def _answer(self, asked: Asked, traffic: Traffic, now: float) -> Response | None:
        wait = traffic.seconds_until_allowed(now, asked.inputs)
        if wait:
            # Rounded up: whoever comes when told finds room.
            retry_after = f"{math.ceil(wait * 100) / 100:.2f}"
            return _error(429, "Rate limit reached", "rate_limit_exceeded", retry_after=retry_after)
        if not 0 < len(asked.inputs) <= MAX_INPUTS or not all(asked.inputs):
            return _error(400, "'$.input' is invalid", None)
        fault = self._take_fault(asked)
        if fault and fault.kind is FaultKind.DELAY:
            await asyncio.sleep(random.uniform(fault.seconds, fault.seconds_max or fault.seconds))
            fault = self._take_fault(asked, besides=FaultKind.DELAY)
        if fault and fault.kind is FaultKind.RESET:
            return None
        return (fault and _error_of(fault)) or _reply(asked, fault)

    def _take_fault(self, asked: Asked, besides: FaultKind | None = None) -> Fault | None:
        for position, fault in enumerate(self._faults):
            if fault.kind is besides or fault.times == 0 or not fault.matches(asked.inputs, asked.encoding_format):
                continue
            if fault.times is not None:
                self._faults[position] = replace(fault, times=fault.times - 1)
            return fault
        return None


def _log_retry_after(response: Response, traffic: Traffic) -> None:
    """What a 429 asks for in seconds; a date is not followed."""
    asked = response.headers.get("Retry-After", "")
    if response.status_code == HTTPStatus.TOO_MANY_REQUESTS and asked.replace(".", "", 1).isdigit():
        traffic.arrivals.asked_to_wait(time.monotonic(), float(asked))


def _error_of(fault: Fault) -> Response | None:
    if fault.kind is FaultKind.STATUS:
        return _error(fault.status, fault.message, fault.code, retry_after=fault.retry_after)
    if fault.kind is FaultKind.CONTEXT_TOO_LONG:
        message = "This model's maximum context length is 8192 tokens, however you requested 9000 tokens"
        return _error(400, message, "context_length_exceeded")
    if fault.kind is FaultKind.REFUSE_BASE64:
        return _error(400, "Unsupported value for encoding_format: base64", "invalid_request_error")
    if fault.kind is FaultKind.NOT_JSON:
        return PlainTextResponse("<html>a proxy's page</html>", media_type="text/html")
    return None


def _error(status: int, message: str, code: str | None, retry_after: str | None = None) -> Response:
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return JSONResponse(error_body(message, code), status_code=status, headers=headers)


def _reply(asked: Asked, fault: Fault | None) -> Response:
    body = reply_body(
        asked.inputs,
        model=asked.model,
        dimensions=asked.dimensions,
        encoding_format=asked.encoding_format,
        fault=fault,
    )
    return _Json(body)


class _Json(JSONResponse):
    """JSON as Python writes it: NaN stays NaN, as a careless provider sends it."""

    def render(self, content: object) -> bytes:
        return json.dumps(content, separators=(",", ":")).encode()
