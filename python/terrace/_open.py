"""Opening a store of this process."""

import json
import os
from collections.abc import Mapping
from typing import Any

from terrace import _terrace


def open(config: "str | os.PathLike[str] | Mapping[str, Any] | None" = None) -> _terrace.Store:
    """Open a store of this process.

    config: the path of a YAML file, or its content as a mapping such as
    ``{"l1": {"budget": "8GiB"}, "tiers": [{"disk": {"paths": ["/nvme"], "capacity": "1TiB"}}]}``; None: the
    defaults. Variables of the environment named TERRACE_... override it, as for every program of Terrace's
    (docs/guide/configuration.md lists the keys).

    Raises Error with a line for each problem: the key, its value, what is allowed and where it stands.
    """
    if config is None:
        return _terrace.open_file("")
    if isinstance(config, Mapping):
        return _terrace.open_text(json.dumps(config, ensure_ascii=False, default=os.fspath))
    return _terrace.open_file(os.fspath(config))
