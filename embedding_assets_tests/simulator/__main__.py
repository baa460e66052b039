"""`python -m embedding_assets_tests.simulator --port 0`: prints its URL as a JSON line and serves until stopped."""

import argparse
import json
import sys

from embedding_assets_tests.simulator.control import DEFAULT_DIMENSIONS
from embedding_assets_tests.simulator.server import SimulatorServer


def main() -> None:
    """Serve on loopback."""
    parser = argparse.ArgumentParser(prog="embedding_assets_tests.simulator")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--dimensions", type=int, default=DEFAULT_DIMENSIONS)
    arguments = parser.parse_args()
    server = SimulatorServer(arguments.port, arguments.dimensions)
    sys.stdout.write(json.dumps({"base_url": server.base_url}) + "\n")
    sys.stdout.flush()
    server.run()


main()
