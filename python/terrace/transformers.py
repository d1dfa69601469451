"""Keeps the KV cache of Hugging Face models by blocks, and restores the longest stored prefix of a prompt.

    kept = terrace.transformers.KeptCache(store, model)
    cache, tokens = kept.restore(input_ids)
    output = model(input_ids[:, tokens:], past_key_values=cache, use_cache=True)
    kept.save(input_ids, cache)

What is restored is what was saved, bit for bit: logits are those of a run that goes on with the cache itself.
For models whose layers all keep the whole prefix (full attention), one prompt at a time.
"""

import hashlib
import math
from typing import Any

import numpy as np
import terrace
import torch
from transformers import DynamicCache

# Of the bytes of a block: [layers][K, V][heads][tokens][head size] in the model's number format. A change
# makes what was saved before a miss.
LAYOUT_VERSION = 1

__all__ = ["KeptCache"]


def fingerprint_of(model: Any) -> str:
    """Of a model's shape and weights: a changed model is another one. Reads 4 KiB of each parameter."""
    digest = hashlib.sha256(model.config.to_json_string().encode())
    for name, parameter in sorted(model.named_parameters()):
        digest.update(f"{name} {tuple(parameter.shape)} {parameter.dtype}".encode())
        some = parameter.detach().flatten()[:1024].cpu().contiguous()
        digest.update(some.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


class KeptCache:
    """The KV of one model's prompts in a store."""

    def __init__(
        self,
        store: terrace.Store,
        model: Any,
        *,
        block_tokens: int = 64,
        adapter: str | None = None,
        tenant_salt: str | None = None,
    ) -> None:
        """store: an open one, or a server's. block_tokens: tokens of a block; only whole blocks are kept.

        adapter, tenant_salt: what else keeps prompts apart (terrace.Namespace). Raises ValueError for a model
        whose cache does not hold the whole prefix in every layer.
        """
        if block_tokens < 1:
            raise ValueError(f"block_tokens is {block_tokens}: 1 and more are allowed")
        config = model.config.get_text_config()
        others = set(getattr(config, "layer_types", None) or ["full_attention"]) - {"full_attention"}
        if others:
            raise ValueError(
                f"the model has layers of {', '.join(sorted(others))}: full_attention is supported"
            )
        self._store = store
        self._block_tokens = block_tokens
        self._dtype = model.dtype
        self._device = model.device
        heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        head_size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        self._shape = (config.num_hidden_layers, 2, heads, block_tokens, head_size)
        self._root = store.open_namespace(
            terrace.Namespace(
                model_id=config.name_or_path or type(model).__name__,
                model_fingerprint=fingerprint_of(model),
                kv_dtype=str(self._dtype).removeprefix("torch."),
                layout_id="x".join(map(str, self._shape)),
                block_tokens=block_tokens,
                producer="transformers",
                producer_version=LAYOUT_VERSION,
                adapter=adapter,
                tenant_salt=tenant_salt,
            )
        )

    @property
    def block_bytes(self) -> int:
        """Bytes of one block."""
        return math.prod(self._shape) * self._dtype.itemsize

    def restore(self, input_ids: Any, *, timeout: float | None = None) -> tuple[DynamicCache, int]:
        """The cache of the longest stored prefix of a prompt, and its length in tokens; 0: nothing is stored.

        input_ids: int[1, tokens], or a list of int. At least one token is left for the model to run. Waits
        for the disk up to `timeout` seconds (None: the store's own).
        """
        keys = self._keys(input_ids, leave=1)
        cache = DynamicCache()
        with self._store.get(keys, timeout=timeout) as blocks:
            if len(blocks) == 0:
                return cache, 0
            raw = torch.empty((len(blocks), self.block_bytes), dtype=torch.uint8)
            for row, block in zip(raw.numpy(), blocks):
                row[:] = np.frombuffer(memoryview(block), dtype=np.uint8)
        # [blocks, layers, 2, heads, tokens, head] to [layers, 2, 1, heads, blocks x tokens, head].
        parts = raw.view(self._dtype).view(-1, *self._shape).permute(1, 2, 3, 0, 4, 5)
        whole = parts.flatten(3, 4).unsqueeze(2).to(self._device)
        for layer, (key, value) in enumerate(whole):
            cache.update(key.contiguous(), value.contiguous(), layer)
        return cache, int(whole.shape[-2])

    def save(self, input_ids: Any, cache: DynamicCache) -> int:
        """Stores what is not stored yet of a prompt's whole blocks; how many blocks that were.

        input_ids: int[1, tokens], or a list of int: the tokens the cache begins with. Never waits for the
        disk; a block there is no room for, and those behind it, are not stored.
        """
        tensors = [self._tensors_of(cache, layer) for layer in range(self._shape[0])]
        known = min(key.shape[-2] for key, _ in tensors)
        keys = self._keys(input_ids, most=known)
        given = []
        for index, answer in enumerate(self._store.reserve(self._root, keys, self.block_bytes)):
            if answer.reservation is None:
                continue
            first = index * self._block_tokens
            block = torch.empty(self._shape, dtype=self._dtype)
            for layer, (key, value) in enumerate(tensors):
                block[layer, 0] = key[0, :, first : first + self._block_tokens]
                block[layer, 1] = value[0, :, first : first + self._block_tokens]
            answer.reservation.write(block.view(torch.uint8).numpy())
            given.append(answer.reservation)
        self._store.commit(given)
        return len(given)

    def _tensors_of(self, cache: DynamicCache, layer: int) -> tuple[torch.Tensor, torch.Tensor]:
        one = cache.layers[layer]
        keys, values = one.keys, one.values
        wanted = (1, self._shape[2], self._shape[4])
        if (keys.shape[0], keys.shape[1], keys.shape[3]) != wanted or keys.dtype != self._dtype:
            raise ValueError(
                f"layer {layer} of the cache has {keys.dtype}{list(keys.shape)}: "
                f"{self._dtype}[1, {wanted[1]}, tokens, {wanted[2]}] is kept"
            )
        return keys, values

    def _keys(self, input_ids: Any, *, leave: int = 0, most: int | None = None) -> terrace.Keys:
        tokens = input_ids.tolist() if hasattr(input_ids, "tolist") else list(input_ids)
        if tokens and isinstance(tokens[0], list):
            if len(tokens) != 1:
                raise ValueError(f"input_ids has {len(tokens)} prompts: one at a time is kept")
            tokens = tokens[0]
        length = len(tokens) - leave if most is None else min(len(tokens) - leave, most)
        return terrace.block_keys(self._root, tokens[: max(length, 0)], self._block_tokens)
