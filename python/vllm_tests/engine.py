#!/usr/bin/env python3
"""A real vLLM on the CPU: the same prompts, greedily, without Terrace, with it, and after a restart.

usage: engine.py DIRECTORY

The model is a small Llama with random weights, the same in every process. Exits with 1 unless the tokens are
equal everywhere and the restarted engine found its prompts on disk.
"""

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

PROMPTS, TOKENS, ANSWER = 3, 900, 16
MODEL = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 256,
    "intermediate_size": 512,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 64,
    "vocab_size": 1024,
    "max_position_embeddings": 4096,
    "rms_norm_eps": 1e-5,
    "hidden_act": "silu",
    "torch_dtype": "float32",
    "bos_token_id": 1,
    "eos_token_id": 2,
    "tie_word_embeddings": False,
}


def answers(directory: Path, with_terrace: bool) -> list[dict]:
    """In this process: of each prompt its tokens, and how many of its own came from a cache."""
    from vllm import LLM, SamplingParams
    from vllm.config import KVTransferConfig

    transfer = KVTransferConfig(
        kv_connector="OffloadingConnector",
        kv_role="kv_both",
        kv_connector_extra_config={
            "spec_name": "HostOffloadingSpec",
            "spec_module_path": "terrace.vllm",
            "cpu_bytes_to_use": 64 << 20,
            "secondary_tiers": [
                {
                    "type": "TerraceTier",
                    "module_path": "terrace.vllm",
                    "paths": [str(directory / "store")],
                    "capacity": "256MiB",
                }
            ],
        },
    )
    engine = LLM(
        model=str(directory / "model"),
        load_format="dummy",
        skip_tokenizer_init=True,
        dtype="float32",  # vLLM 0.32's bfloat16 kernel for AMX stops with SIGILL on some machines
        enforce_eager=True,
        max_model_len=2048,
        max_num_batched_tokens=2048,
        seed=0,
        kv_transfer_config=transfer if with_terrace else None,
    )
    drawn = random.Random(1)
    how = SamplingParams(temperature=0, max_tokens=ANSWER, ignore_eos=True, detokenize=False)
    told = []
    for number in range(PROMPTS):
        prompt = [drawn.randrange(3, MODEL["vocab_size"]) for _ in range(TOKENS + number)]
        output = engine.generate([{"prompt_token_ids": prompt}], how, use_tqdm=False)[0]
        told.append({"tokens": list(output.outputs[0].token_ids), "cached": output.num_cached_tokens or 0})
    engine.llm_engine.engine_core.shutdown()
    return told


def in_another_process(directory: Path, mode: str) -> list[dict]:
    # One process, so that its end is the engine's; a pool without NUMA and pinning, as a container has it.
    environment = {
        **os.environ,
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "VLLM_LOGGING_LEVEL": "ERROR",
    }
    told = directory / f"{mode}.json"
    told.unlink(missing_ok=True)
    log = directory / f"{mode}.log"
    with log.open("w") as output:
        command = [sys.executable, __file__, str(directory), mode]
        subprocess.run(command, env=environment, stdout=output, stderr=output, check=False)
    if not told.exists():
        print(f"engine.py: the engine ended without an answer ({mode}); see {log}")
        sys.exit(1)
    return json.loads(told.read_text())


def main() -> int:
    if len(sys.argv) not in (2, 3):
        print(__doc__)
        return 2
    directory = Path(sys.argv[1]).resolve()
    if len(sys.argv) == 3:
        mode = sys.argv[2]
        told = answers(directory, with_terrace=mode != "without")
        (directory / f"{mode}.json").write_text(json.dumps(told))
        return 0
    shutil.rmtree(directory / "store", ignore_errors=True)
    (directory / "model").mkdir(parents=True, exist_ok=True)
    (directory / "model" / "config.json").write_text(json.dumps(MODEL))
    phases = {mode: in_another_process(directory, mode) for mode in ("without", "with", "restarted")}
    right = True
    for mode, told in phases.items():
        equal = [one["tokens"] for one in told] == [one["tokens"] for one in phases["without"]]
        cached = [one["cached"] for one in told]
        verdict = "equal" if equal else "OTHER"
        print(f"{mode:<10} tokens {verdict}, of {TOKENS} tokens each {cached} from a cache")
        right = right and equal
    found = min(one["cached"] for one in phases["restarted"])
    if found < TOKENS * 3 // 4:
        print(f"engine.py: the restarted engine found {found} of {TOKENS} tokens")
        right = False
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
