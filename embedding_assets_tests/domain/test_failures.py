"""The table of error types: written once in prose and once in code, and no type can be left out of either."""

import re
import subprocess
import sys
from pathlib import Path

from embedding_assets.domain import failures
from embedding_assets.domain.failures import ErrorType, class_of

_ROW = re.compile(r"^\| (\w+) \| (\w+) \| [^|]+ \|$", re.MULTILINE)
_LAST = '    WORKER_LOST = "worker_lost"\n'


def test_the_written_table_is_the_code_every_type_with_its_class() -> None:
    assert _ROW.findall(failures.__doc__ or "") == [
        (error_type.value, class_of(error_type).value) for error_type in ErrorType
    ]


def test_an_error_type_without_a_class_is_a_type_error(tmp_path: Path) -> None:
    code = Path(failures.__file__).read_text(encoding="utf-8")
    assert code.count(_LAST) == 1
    (tmp_path / "decided.py").write_text(code, encoding="utf-8")
    (tmp_path / "undecided.py").write_text(code.replace(_LAST, f'{_LAST}    NOVEL = "novel"\n'), encoding="utf-8")
    command = [sys.executable, "-m", "basedpyright", "--pythonpath", sys.executable, "."]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=tmp_path)
    [found] = [line for line in done.stdout.splitlines() if " - error: " in line]
    assert "undecided.py" in found
    assert 'Argument of type "Literal[ErrorType.NOVEL]"' in found
