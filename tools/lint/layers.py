#!/usr/bin/env python3
"""Checks that every include points down the layers, and only at a layer that DEPS names.

The order stands in RANKS; the exact permissions are the DEPS lines of src/*/CMakeLists.txt (a test may also
use the layers of TEST_LIBS). Public headers see only each other and the standard library. lab, bench,
integrations, python and tests may include any layer; nothing in src or include may include them.
"""

import argparse
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import cpp
import files

RANKS: list[set[str]] = [
    {"base"},
    {"key", "memory", "io", "policy"},
    {"record", "wire"},
    {"surface"},
    {"tier"},
    {"store"},
    {"config", "report"},
    {"server", "client", "simulate"},
    {"capi"},
    {"cli"},
]
RANK = {layer: rank for rank, layers in enumerate(RANKS) for layer in layers}
ORDER = " < ".join(", ".join(sorted(layers)) for layers in RANKS)
ABOVE_SRC = {"lab", "bench", "integrations", "tests", "tools", "fuzz", "python"}
C_HEADERS = {"stdint.h", "stddef.h", "stdbool.h"}


@dataclass
class Layer:
    name: str
    deps: set[str] = field(default_factory=set)
    test_deps: set[str] = field(default_factory=set)


def parse_layer(name: str, cmake: str) -> Layer:
    """The layers a CMakeLists.txt names: DEPS of terrace_layer(), and linked terrace_<layer> targets."""
    layer = Layer(name)
    cmake = re.sub(r"#[^\n]*", "", cmake)
    for call in re.finditer(r"\b(?P<command>\w+)\s*\((?P<arguments>[^()]*)\)", cmake):
        words = call["arguments"].split()
        section = ""
        for word in words[1:]:
            if word in {"DEPS", "LIBS", "TEST_LIBS", "PRIVATE", "PUBLIC", "INTERFACE"}:
                section = word
            elif call["command"] == "terrace_layer" and section == "DEPS":
                layer.deps.add(word)
            elif word.startswith("terrace_") and word.removeprefix("terrace_") in RANK:
                for_test = section == "TEST_LIBS" or words[0].endswith("_test")
                (layer.test_deps if for_test else layer.deps).add(word.removeprefix("terrace_"))
    layer.deps.discard(name)
    layer.test_deps.discard(name)
    return layer


def check_deps(layer: Layer) -> list[str]:
    where = f"src/{layer.name}/CMakeLists.txt:1"
    problems = []
    for dep in sorted(layer.deps | layer.test_deps):
        if dep not in RANK:
            problems.append(f"{where}: DEPS names '{dep}', which is no layer ({ORDER})")
        elif RANK[dep] >= RANK[layer.name]:
            problems.append(f"{where}: '{layer.name}' may not depend on '{dep}': not below it ({ORDER})")
    return problems


def source_problem(layer: Layer, is_test: bool, include: cpp.Include) -> str:
    """Why a file of src/<layer> may not have this include, or nothing."""
    head, slash, _ = include.name.partition("/")
    if not include.quoted:
        return f'write "{include.name}": layers are included with quotes' if slash and head in RANK else ""
    if head == "terrace":
        return f"write <{include.name}>: public headers are included with angle brackets"
    if not slash or head in {".", ".."}:
        return f'"{include.name}" must be written from src/: "layer/file.h"'
    if head in ABOVE_SRC:
        return f"nothing in src may include {head}/"
    if head not in RANK:
        return f'"{include.name}" names no layer ({ORDER})'
    if head == layer.name:
        return ""
    if RANK[head] >= RANK[layer.name]:
        return f"'{layer.name}' may not include '{head}', which is not below it ({ORDER})"
    if head not in layer.deps and not (is_test and head in layer.test_deps):
        return f"'{head}' is not in DEPS of src/{layer.name}/CMakeLists.txt"
    return ""


def public_problem(include: cpp.Include) -> str:
    if include.quoted:
        return f'"{include.name}": public headers include only <terrace/...> and the standard library'
    is_standard = include.name in C_HEADERS or re.fullmatch(r"[a-z_]+", include.name)
    if is_standard or include.name.startswith("terrace/"):
        return ""
    return f"<{include.name}>: public headers include only <terrace/...> and the standard library"


def check(root: Path) -> list[str]:
    problems: list[str] = []
    layers: dict[str, Layer] = {}
    for name in files.select(files.project_files(root), [".h", ".cc", ".inc"], "", root):
        parts = name.parts
        if parts[0] not in {"src", "include"}:
            continue
        found = cpp.includes((root / name).read_text(errors="replace"))
        if parts[0] == "include":
            reasons = [(include.line, public_problem(include)) for include in found]
        elif parts[0] == "src" and len(parts) > 2 and parts[1] in RANK:
            if parts[1] not in layers:
                cmake = root / "src" / parts[1] / "CMakeLists.txt"
                layers[parts[1]] = parse_layer(parts[1], cmake.read_text() if cmake.is_file() else "")
                problems += check_deps(layers[parts[1]])
            is_test = name.stem.endswith(("_test", "_bench"))
            layer = layers[parts[1]]
            reasons = [(include.line, source_problem(layer, is_test, include)) for include in found]
        else:
            reasons = [(1, f"not in a layer's folder ({ORDER})")]
        problems += [f"{name}:{line}: {reason}" for line, reason in reasons if reason]
    return problems


def main() -> int:
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=formatter)
    parser.add_argument("--root", type=Path, default=files.ROOT, help="the repository")
    problems = check(parser.parse_args().root)
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
