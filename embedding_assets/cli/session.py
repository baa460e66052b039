"""What every command begins with: settings as the terminal reads them, a name for the run, an event loop."""

import os
import secrets
import shutil
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from embedding_assets.settings import Settings

T = TypeVar("T")

DEMO_FILE = "demo.toml"


def current_settings() -> "Settings":
    """The settings; where their collections file does not exist, the demo's stands in for it.

    Raises:
        SettingsError: a setting is missing or wrong; the message names it.
    """
    from embedding_assets.settings import load_settings  # noqa: PLC0415 - pydantic is 0.2 s that --help need not pay

    settings = load_settings()
    demo_file = settings.home / DEMO_FILE
    if not settings.collections_file.exists() and demo_file.exists():
        return settings.model_copy(update={"collections_file": demo_file})
    return settings


def run_name() -> str:
    """Names this process in leases and failure history."""
    return f"terminal-{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"


def run_async(main: Callable[[], Awaitable[T]]) -> T:
    """Run to the end in an event loop of its own; Ctrl-C cancels it in order.

    Raises:
        KeyboardInterrupt: interrupted; what `main` does on cancellation was done before.
    """
    import asyncio  # noqa: PLC0415 - as above

    import anyio  # noqa: PLC0415 - as above

    try:
        return anyio.run(main)
    except asyncio.CancelledError:
        # Nobody else cancels `main`. Python 3.10 cannot tell, and says so instead of KeyboardInterrupt.
        raise KeyboardInterrupt from None


def child_environment(settings: "Settings", **more: str) -> Mapping[str, str]:
    """The environment for programs we start: ours, with the home and the collections file made absolute."""
    return {
        **os.environ,
        "EMBEDDING_ASSETS_HOME": str(settings.home.resolve()),
        "EMBEDDING_ASSETS_COLLECTIONS_FILE": str(settings.collections_file.resolve()),
        **more,
    }


def program(name: str) -> str:
    """A program installed beside the Python that runs this."""
    return str(Path(sys.executable).parent / name)


def command(arguments: str) -> str:
    """How a person calls us again, from the same shell; under make with the variables that make had set for us."""
    called = Path(sys.argv[0])
    found = shutil.which("embedding-assets")
    on_path = found is not None and Path(found).resolve() == called.resolve()
    name = "embedding-assets" if on_path or called.name != "embedding-assets" else str(called)
    # Only this value: any other database URL may hold a password.
    embedded = "MAKELEVEL" in os.environ and os.environ.get("EMBEDDING_ASSETS_DATABASE_URL") == "embedded"
    return ("EMBEDDING_ASSETS_DATABASE_URL=embedded " if embedded else "") + f"{name} {arguments}"
