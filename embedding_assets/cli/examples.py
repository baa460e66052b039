"""Examples for a command's --help, kept line for line."""

import inspect
from collections.abc import Callable
from typing import TypeVar

Command = TypeVar("Command", bound=Callable[..., None])


def examples(*lines: str) -> Callable[[Command], Command]:
    """Append these command lines to the docstring that Typer shows."""

    def decorate(command: Command) -> Command:
        shown = "\n".join(f"  {line}" for line in lines)
        # \b, a backspace, is how Typer is told not to rewrap a paragraph.
        command.__doc__ = f"{inspect.cleandoc(command.__doc__ or '')}\n\n\b\nExample:\n{shown}"
        return command

    return decorate
