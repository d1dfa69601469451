"""The module's types and words: what is there is typed and explained, and nothing else is typed."""

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest
import terrace
from terrace import _terrace

STUB = ast.parse((Path(terrace.__file__).parent / "_terrace.pyi").read_text())


def public(names: object) -> list[str]:
    return [name for name in names if not name.startswith("_")]  # type: ignore[attr-defined]


def names_in(body: list[ast.stmt]) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id


def classes() -> dict[str, ast.ClassDef]:
    return {node.name: node for node in STUB.body if isinstance(node, ast.ClassDef) and node.name[0] != "_"}


def is_enum(kind: type) -> bool:
    return hasattr(kind, "__members__")


def test_the_module_is_typed_whole() -> None:
    assert sorted(set(public(names_in(STUB.body)))) == sorted(public(vars(_terrace)))


@pytest.mark.parametrize("name", list(classes()))
def test_a_class_is_typed_whole(name: str) -> None:
    kind = getattr(_terrace, name)
    typed = set(public(names_in(classes()[name].body)))
    there = set(kind.__members__) if is_enum(kind) else set(public(vars(kind)))
    assert typed - {"code"} == there - {"code"}


def test_everything_public_is_exported_and_explained() -> None:
    assert set(public(vars(_terrace))) - {"open_file", "open_text"} <= set(terrace.__all__)
    silent = []
    for name in terrace.__all__:
        thing = getattr(terrace, name)
        parts = {} if not inspect.isclass(thing) or is_enum(thing) else vars(thing)
        for part in ["", *public(parts)]:
            words = inspect.getdoc(getattr(thing, part) if part else thing) or ""
            # The first line of a function is its signature.
            if not [line for line in words.splitlines() if line.strip() and "->" not in line]:
                silent.append(f"{name}.{part}".rstrip("."))
    assert not silent, "without a word: " + ", ".join(silent)


def test_numbers_are_those_of_the_stub() -> None:
    for name, node in classes().items():
        kind = getattr(_terrace, name)
        if not is_enum(kind):
            continue
        typed = {
            one.targets[0].id: ast.literal_eval(one.value)
            for one in node.body
            if isinstance(one, ast.Assign) and isinstance(one.targets[0], ast.Name)
        }
        assert typed == {value.name: value.value for value in kind}
