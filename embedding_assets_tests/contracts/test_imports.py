"""What costs seconds to import is imported where it is used: LiteLLM where embedding happens, Dagster in its own process."""

import subprocess
import sys

import pytest

_HEAVY = ("litellm", "dagster", "wordllama", "scipy", "fsspec", "s3fs", "botocore")


@pytest.mark.parametrize(
    "module",
    [
        "embedding_assets",
        "embedding_assets.cli.app",
        "embedding_assets.pipeline.ingest",
        "embedding_assets.providers.embedders",
        "embedding_assets.runtime",
    ],
)
def test_importing_a_module_imports_nothing_heavy(module: str) -> None:
    program = f"import sys, {module}; print([name for name in {_HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
