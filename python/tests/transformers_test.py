"""terrace.transformers with a real model of random weights: what is restored gives the same logits."""

from pathlib import Path
from typing import Any

import pytest
import terrace

torch = pytest.importorskip("torch", reason="PyTorch is not installed: the tests of models need it")
transformers = pytest.importorskip(
    "transformers", reason="transformers is not installed: the tests of models need it"
)

from terrace.transformers import KeptCache  # noqa: E402

# Of the libraries' own.
pytestmark = pytest.mark.filterwarnings("default")

TOKENS = 100
BLOCK = 16


def model_of(seed: int = 0, **changes: Any) -> Any:
    torch.manual_seed(seed)
    config = transformers.LlamaConfig(
        vocab_size=128,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        **changes,
    )
    return transformers.LlamaForCausalLM(config).eval()


def config_of(directory: Path) -> dict[str, object]:
    return {
        "l1": {"budget": "16MiB"},
        "tiers": [{"disk": {"paths": [str(directory)], "capacity": "64MiB"}}],
    }


@pytest.fixture
def prompt() -> Any:
    return torch.randint(0, 128, (1, TOKENS), generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def logits(model: Any, prompt: Any, cache: Any, done: int) -> Any:
    return model(prompt[:, done:], past_key_values=cache, use_cache=True).logits


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_logits_after_a_restore_are_identical_also_in_another_process_life(
    tmp_path: Path, prompt: Any, dtype: str
) -> None:
    model = model_of().to(getattr(torch, dtype))
    whole = TOKENS // BLOCK * BLOCK
    cache = transformers.DynamicCache()
    logits(model, prompt[:, :whole], cache, 0)
    with terrace.open(config_of(tmp_path)) as store:
        kept = KeptCache(store, model, block_tokens=BLOCK)
        assert kept.restore(prompt)[1] == 0
        assert kept.save(prompt[:, :whole], cache) == TOKENS // BLOCK
        assert kept.save(prompt[:, :whole], cache) == 0, "it is there"
        store.sync(10)
    expected = logits(model, prompt, cache, whole)
    with terrace.open(config_of(tmp_path)) as store:
        store.wait_recovered(10)
        restored, done = KeptCache(store, model, block_tokens=BLOCK).restore(prompt)
        assert done == whole
        assert torch.equal(logits(model, prompt, restored, done), expected)


def test_a_prefix_is_restored_and_one_token_left(store: terrace.Store, prompt: Any) -> None:
    model = model_of()
    cache = transformers.DynamicCache()
    logits(model, prompt[:, : 3 * BLOCK], cache, 0)
    kept = KeptCache(store, model, block_tokens=BLOCK)
    kept.save(prompt[:, : 3 * BLOCK], cache)
    assert kept.restore(prompt)[1] == 3 * BLOCK
    assert kept.restore(prompt[:, : 3 * BLOCK])[1] == 2 * BLOCK
    other = prompt.clone()
    other[0, BLOCK] += 1
    assert kept.restore(other % 128)[1] == BLOCK


def test_another_model_finds_nothing(store: terrace.Store, prompt: Any) -> None:
    cache = transformers.DynamicCache()
    logits(model_of(), prompt, cache, 0)
    KeptCache(store, model_of(), block_tokens=BLOCK).save(prompt, cache)
    assert KeptCache(store, model_of(), block_tokens=BLOCK).restore(prompt)[1] == 96
    assert KeptCache(store, model_of(seed=2), block_tokens=BLOCK).restore(prompt)[1] == 0
    assert KeptCache(store, model_of(), block_tokens=BLOCK, tenant_salt="other").restore(prompt)[1] == 0


def test_what_it_cannot_keep_is_refused_in_words(store: terrace.Store, prompt: Any) -> None:
    model = model_of()
    with pytest.raises(ValueError, match="block_tokens is 0"):
        KeptCache(store, model, block_tokens=0)
    with pytest.raises(ValueError, match="2 prompts"):
        KeptCache(store, model).restore(torch.zeros((2, 100), dtype=torch.long))
    cache = transformers.DynamicCache()
    logits(model.to(torch.float64), prompt, cache, 0)
    with pytest.raises(ValueError, match="layer 0 of the cache has torch.float64"):
        KeptCache(store, model_of(), block_tokens=BLOCK).save(prompt, cache)
