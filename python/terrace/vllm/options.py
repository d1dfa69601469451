"""The options of a tier, checked when vLLM starts."""

import dataclasses
import os
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass(frozen=True)
class TierSettings:
    """What stands beside ``type`` and ``module_path`` in the configuration of a tier.

    paths: directories, one for each disk. capacity: bytes or text such as "200GiB", over all paths, never
    exceeded. io: auto, uring or psync. eviction: a policy's name (docs/policies.md). load_timeout: seconds
    after which a load that has not come is a miss. allow_weak_hashes: accept vLLM's non-cryptographic block
    hashes. config: more of Terrace's configuration, as a mapping.
    """

    paths: tuple[str, ...]
    capacity: str | int
    io: str = "auto"
    eviction: str = "lru"
    load_timeout: float = 5.0
    allow_weak_hashes: bool = False
    enable_kv_events: bool = False
    locality: str | None = None
    config: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @staticmethod
    def of(given: Mapping[str, Any]) -> "TierSettings":
        """Raises ValueError naming what is unknown or missing, and what is allowed."""
        known = {field.name for field in dataclasses.fields(TierSettings)}
        for name in given:
            if name not in known:
                raise ValueError(
                    f"TerraceTier: unknown option '{name}': {', '.join(sorted(known))} are allowed"
                )
        for name in ("paths", "capacity"):
            if name not in given:
                raise ValueError(
                    f"TerraceTier: option '{name}' is missing: directories and their size are needed"
                )
        paths = given["paths"]
        if isinstance(paths, str | os.PathLike):
            paths = [paths]
        if not paths:
            raise ValueError("TerraceTier: option 'paths' is empty: one directory at least is needed")
        settings = TierSettings(**{**given, "paths": tuple(os.fspath(path) for path in paths)})
        for name in ("l1", "tiers"):
            if name in settings.config:
                raise ValueError(f"TerraceTier: option 'config' names '{name}': the tier sets it itself")
        if not settings.load_timeout > 0:
            raise ValueError(
                f"TerraceTier: load_timeout is {settings.load_timeout}: seconds above 0 are allowed"
            )
        return settings

    def store_config(self, slots: int, slot_bytes: int) -> dict[str, Any]:
        """For terrace.open. Blocks move between vLLM's pool and the disk: there is no memory of our own.

        All of the pool may be on its way to the disk at a time, each slot with its header.
        """
        disk = {"paths": list(self.paths), "capacity": self.capacity, "io": self.io}
        tier = {"kind": "disk", "name": "disk", "eviction": self.eviction, "disk": disk}
        store = {"bytes_in_flight": slots * (slot_bytes + 2 * 4096), **self.config.get("store", {})}
        return {**self.config, "store": store, "l1": {"mode": "off"}, "tiers": [tier]}
