#!/usr/bin/env python3
"""Prints how many lines of each decoder the corpus and a short search of its target reach.

Exit codes: 0 at least 95 % of all of them, 1 fewer or a target failed, 2 wrong usage. `./dev fuzz --coverage`
builds the program and runs this.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SHARE_OWED = 0.95
# What turns bytes from outside into values, and what judges them.
DECODERS = (
    "src/base/bytes.cc", "src/base/decimal.cc",
    "src/cli/manifest.cc",
    "src/config/allowed.cc", "src/config/environment_source.cc", "src/config/keys.cc",
    "src/config/lmcache/adapters.cc", "src/config/lmcache/read_options.cc", "src/config/lmcache/reasons.cc",
    "src/config/lmcache/to_yaml.cc", "src/config/lmcache/translate.cc", "src/config/lmcache/translator.cc",
    "src/config/lmcache/yaml_options.cc", "src/config/load.cc", "src/config/nearest.cc",
    "src/config/source_file.cc", "src/config/together.cc", "src/config/value.cc",
    "src/config/yaml_source.cc", "src/config/yaml_writer.cc",
    "src/record/record.cc", "src/record/sums_in.cc",
    "src/simulate/coding_agent_trace.cc", "src/simulate/fields.cc", "src/simulate/mooncake_trace.cc",
    "src/simulate/terrace_trace.cc", "src/simulate/trace.cc", "src/simulate/trace_reader.cc",
    "src/tier/disk/layout.cc", "src/tier/disk/namespaces_file.cc", "src/tier/disk/recovery.cc",
    "src/tier/disk/record_check.cc", "src/tier/disk/superblock_file.cc",
    "src/wire/frame.cc",
)


def tool(name: str) -> str:
    for candidate in (f"{name}-19", name):
        if found := shutil.which(candidate):
            return found
    sys.exit(f"coverage: {name} is missing; ./dev setup installs it")


def targets(program: Path) -> list[str]:
    environment = os.environ | {"LLVM_PROFILE_FILE": os.devnull}
    listed = subprocess.run([program, "--list"], env=environment, capture_output=True, text=True,
                            check=True).stdout
    return [line.split(" ")[0] for line in listed.splitlines()]


def run_target(program: Path, target: str, seconds: int, folder: Path) -> bool:
    """The corpus, then a search from there; False when one of them failed."""
    found = folder / "found" / target
    found.mkdir(parents=True)
    corpus = ROOT / "fuzz" / "corpus" / target
    dictionary = ROOT / "fuzz" / "dictionaries" / f"{target}.dict"
    environment = os.environ | {"LLVM_PROFILE_FILE": str(folder / f"{target}-%p.profraw")}
    options = [f"-artifact_prefix={folder}/", f"-dict={dictionary}", "-seed=1"]
    for what in (["-runs=0", str(corpus)], [f"-max_total_time={seconds}", str(found), str(corpus)]):
        if seconds == 0 and what[0] != "-runs=0":
            continue
        command = [program, f"--target={target}", *options, *what]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode != 0:
            print(f"{target}: exited with {done.returncode}\n{done.stderr[-2000:]}", file=sys.stderr)
            return False
    return True


def export(program: Path, folder: Path) -> dict[str, tuple[int, int]]:
    """Covered and all lines of each decoder."""
    profile = folder / "all.profdata"
    raw = sorted(str(path) for path in folder.glob("*.profraw"))
    subprocess.run([tool("llvm-profdata"), "merge", "-sparse", "-o", profile, *raw], check=True)
    wanted = [str(ROOT / name) for name in DECODERS]
    command = [tool("llvm-cov"), "export", "-summary-only", f"-instr-profile={profile}", program, *wanted]
    report = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    lines = {}
    for file in report["data"][0]["files"]:
        counted = file["summary"]["lines"]
        lines[str(Path(file["filename"]).relative_to(ROOT))] = (counted["covered"], counted["count"])
    return lines


def print_missed(program: Path, folder: Path) -> None:
    command = [tool("llvm-cov"), "show", f"-instr-profile={folder / 'all.profdata'}", program,
               *(str(ROOT / name) for name in DECODERS)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for line in shown.splitlines():
        parts = line.split("|")
        if line.startswith(str(ROOT)) or (len(parts) > 2 and parts[1].strip() == "0"):
            print(line.replace(f"{ROOT}/", ""))


def main() -> int:
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=formatter)
    parser.add_argument("--program", type=Path, default=ROOT / "build/coverage/fuzz/terrace-fuzz")
    parser.add_argument("--seconds", type=int, default=3, help="of each target's search (default 3)")
    parser.add_argument("--json", type=Path, help="write lines and covered, in all and of each file")
    parser.add_argument("--missed", action="store_true", help="also print the lines that were not reached")
    arguments = parser.parse_args()
    if not arguments.program.is_file():
        parser.error(f"no {arguments.program}: ./dev fuzz --coverage builds it")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        names = targets(arguments.program)
        passed = all([run_target(arguments.program, target, arguments.seconds, folder) for target in names])
        files = export(arguments.program, folder)
        if arguments.missed:
            print_missed(arguments.program, folder)
    for file, (covered, count) in sorted(files.items()):
        print(f"{file:44} {covered:5} of {count:5} lines  {100 * covered / count:5.1f} %")
    covered, count = (sum(column) for column in zip(*files.values(), strict=True))
    print(f"{'all decoders':44} {covered:5} of {count:5} lines  {100 * covered / count:5.1f} %")
    if arguments.json:
        figures = {"lines": count, "covered": covered,
                   "files": {file: {"lines": all_, "covered": some} for file, (some, all_) in files.items()}}
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0 if passed and covered >= SHARE_OWED * count else 1


if __name__ == "__main__":
    sys.exit(main())
