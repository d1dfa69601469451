"""Frames of the protocol's version 1 mean today what they meant then.

python3 tests/wire/golden_test.py           checks every line of golden_frames_1.txt
python3 tests/wire/golden_test.py --add     adds lines for messages that have none yet
"""

import json
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
SCHEMA = HERE.parent.parent / "src" / "wire" / "terrace.fbs"
FRAMES = HERE / "golden_frames_1.txt"
sys.path.insert(0, str(HERE))
from golden_messages import MESSAGES  # noqa: E402


def frames() -> dict[str, bytes]:
    lines = FRAMES.read_text().splitlines() if FRAMES.exists() else []
    return {name: bytes.fromhex(text) for name, text in (line.split() for line in lines)}


def decoded(messages: dict[str, bytes], folder: Path) -> dict[str, Any]:
    """Each message by name, as flatc reads it with today's schema."""
    for name, message in messages.items():
        (folder / f"{name}.bin").write_bytes(message)
    files = [folder / f"{name}.bin" for name in messages]
    subprocess.run(["flatc", "--json", "--strict-json", "--defaults-json", "-o", folder / "json", SCHEMA,
                    "--", *files], check=True)
    return {name: json.loads((folder / "json" / f"{name}.json").read_text()) for name in messages}


def encoded(message: dict[str, Any], folder: Path) -> bytes:
    (folder / "message.json").write_text(json.dumps(message))
    subprocess.run(["flatc", "--binary", "-o", folder, SCHEMA, folder / "message.json"], check=True)
    return (folder / "message.bin").read_bytes()


def without(defaults: Any, said: Any) -> Any:
    """Of what was decoded, what the message said: fields that it had not are as they are by default."""
    if isinstance(said, dict):
        return {name: without(defaults.get(name), value) for name, value in said.items()}
    if isinstance(said, list) and isinstance(defaults, list) and len(said) == len(defaults):
        return [without(one, value) for one, value in zip(defaults, said)]
    return defaults


class Golden(unittest.TestCase):
    maxDiff = None

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def test_every_frame_means_what_it_meant(self) -> None:
        kept = frames()
        for name, message in decoded(kept, self.folder).items():
            with self.subTest(name):
                self.assertEqual(MESSAGES[name], without(message, MESSAGES[name]))

    def test_every_kind_of_message_has_a_frame(self) -> None:
        union = re.search(r"union Body \{([^}]*)\}", SCHEMA.read_text())
        assert union is not None
        kinds = re.findall(r"\w+", union.group(1))
        self.assertEqual([], [kind for kind in kinds if kind not in frames()])

    def test_kinds_keep_their_numbers(self) -> None:
        """A message's kind travels as its place in the union: what is new comes at the end."""
        union = re.search(r"union Body \{([^}]*)\}", SCHEMA.read_text())
        assert union is not None
        kinds = re.findall(r"\w+", union.group(1))
        known = [name for name in frames() if name in kinds]
        self.assertEqual(known, kinds[: len(known)])


def add() -> None:
    kept = frames()
    with tempfile.TemporaryDirectory() as folder, FRAMES.open("a") as out:
        for name, message in MESSAGES.items():
            if name not in kept:
                out.write(f"{name} {encoded(message, Path(folder)).hex()}\n")


if __name__ == "__main__":
    if sys.argv[1:] == ["--add"]:
        add()
    else:
        unittest.main()
