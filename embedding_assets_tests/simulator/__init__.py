"""A simulated embeddings provider: a real HTTP server that speaks OpenAI's protocol and fails on demand.

`with Simulator(dimensions=8) as provider:` starts one; `provider.api_base` goes to LiteLLM with a model named
`openai/ANYTHING` and any key; `provider.fault(...)` makes it fail; `expected_vector(text, dimensions)` is what it
answers; `provider.counters()` and `provider.arrivals()` are what it saw. Not here: fixtures, which belong to the tests that use it.
"""

from embedding_assets_tests.simulator.arrivals import Arrival, ArrivalLog
from embedding_assets_tests.simulator.control import Simulator, SimulatorClient
from embedding_assets_tests.simulator.faults import Fault, FaultKind
from embedding_assets_tests.simulator.traffic import Counters
from embedding_assets_tests.simulator.vectors import expected_vector, tokens_of

__all__ = [
    "Arrival",
    "ArrivalLog",
    "Counters",
    "Fault",
    "FaultKind",
    "Simulator",
    "SimulatorClient",
    "expected_vector",
    "tokens_of",
]
