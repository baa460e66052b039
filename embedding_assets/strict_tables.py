"""What every table of the collections file is: strict, frozen, and closed to keys it does not know.

Not here: the tables (limit_tables, model_tables, collections_file).
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[int, Field(gt=0)]


class StrictTable(BaseModel):
    """A table of the file; TOML has types of its own: "800" in quotes is a mistake, not a number."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
