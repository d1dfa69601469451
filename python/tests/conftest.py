"""A small store for each test, and blocks to put there."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import terrace

BLOCK = 8192


class Chain:
    """Blocks of one chain: keys, and bytes that follow from them."""

    def __init__(self, store: terrace.Store, blocks: int, seed: int = 0, bytes_each: int = BLOCK) -> None:
        self.root = store.open_namespace(terrace.Namespace(model_id=f"test {seed}", block_tokens=4))
        self.keys = terrace.block_keys(self.root, list(range(seed, seed + 4 * blocks)), 4)
        self.size = bytes_each

    def data(self, index: int) -> bytes:
        return (self.keys[index] * (self.size // 32 + 1))[: self.size]

    def put(
        self, store: terrace.Store, *, queue: terrace.CompletionQueue | None = None, tag: int = 0
    ) -> None:
        answers = store.reserve(self.root, self.keys, self.size)
        given = []
        for index, answer in enumerate(answers):
            assert answer.reservation is not None, answer.outcome
            answer.reservation.write(self.data(index))
            given.append(answer.reservation)
        store.commit(given, queue=queue, tag=tag)


@pytest.fixture
def disk(tmp_path: Path) -> dict[str, object]:
    return {
        "l1": {"budget": "16MiB"},
        "tiers": [{"kind": "disk", "disk": {"paths": [str(tmp_path / "disk")], "capacity": "64MiB"}}],
    }


@pytest.fixture
def store(disk: dict[str, object]) -> Iterator[terrace.Store]:
    with terrace.open(disk) as opened:
        yield opened
