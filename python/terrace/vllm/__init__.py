"""Terrace under vLLM's KV offloading.

``TerraceTier`` is a secondary tier of vLLM's tiered offloading: vLLM keeps its own pool in host memory, and
Terrace keeps what is behind it on disk. For vLLM's command line::

    --kv-transfer-config '{"kv_connector": "OffloadingConnector", "kv_role": "kv_both",
      "kv_connector_extra_config": {
        "spec_name": "TieringOffloadingSpec", "cpu_bytes_to_use": 8589934592,
        "secondary_tiers": [{"type": "TerraceTier", "module_path": "terrace.vllm",
                             "paths": ["/nvme/terrace"], "capacity": "200GiB"}]}}'

``HostOffloadingSpec`` is vLLM's own ``TieringOffloadingSpec``, and works on vLLM's CPU platform too.

docs/vllm.md has the options and what to expect.
"""

from terrace.vllm.host import HostOffloadingSpec
from terrace.vllm.tier import TerraceTier

__all__ = ["HostOffloadingSpec", "TerraceTier"]
