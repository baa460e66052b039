"""One simulated provider for the tests of this folder, without faults at the start of each."""

from collections.abc import Iterator

import pytest

from embedding_assets_tests.simulator import Simulator


@pytest.fixture(scope="session")
def running_provider() -> Iterator[Simulator]:
    with Simulator(dimensions=8) as simulator:
        yield simulator


@pytest.fixture
def provider(running_provider: Simulator) -> Simulator:
    running_provider.reset()
    return running_provider
