"""The program of docs/guide/python.md does what the page says."""

import re
import subprocess
import sys
from pathlib import Path


PAGE = Path(__file__).parents[2] / "docs" / "guide" / "python.md"


def test_the_guides_program_finds_again_what_it_stored(tmp_path: Path) -> None:
    program = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert program is not None
    for there in (0, 8):
        run = subprocess.run(
            [sys.executable, "-c", program.group(1), str(tmp_path)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.stdout == f"{there} of 8 blocks were there\n", run.stderr


def test_its_links_lead_somewhere() -> None:
    for link in re.findall(r"\]\(([\w./]+)\)", PAGE.read_text()):
        assert (PAGE.parent / link).exists(), link
