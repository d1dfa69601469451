"""What the lint tools need to know of C++ text: code without comments and strings, and the includes."""

import re
from dataclasses import dataclass

_TOKENS = re.compile(
    r"""(?P<comment>//[^\n]*|/\*.*?\*/)
      | (?P<raw>R"(?P<mark>[^()\\\s]{0,16})\(.*?\)(?P=mark)")
      | (?P<string>"(?:\\.|[^"\\\n])*")
      | (?P<char>(?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+')""",
    re.VERBOSE | re.DOTALL,
)
_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?P<name>"[^"\n]*"|<[^>\n]*>)', re.MULTILINE)


def _blank(text: str) -> str:
    return re.sub(r"[^\n]", " ", text)


def without_comments(text: str) -> str:
    """The text with comments blanked; line numbers and columns stay."""
    return _TOKENS.sub(lambda m: _blank(m[0]) if m["comment"] else m[0], text)


def code_only(text: str) -> str:
    """The text with comments, strings and characters blanked, includes kept; lines and columns stay."""

    def keep_includes(match: re.Match[str]) -> str:
        line = text[text.rfind("\n", 0, match.start()) + 1 : match.start()]
        return match[0] if match["string"] and re.fullmatch(r"\s*#\s*include\s*", line) else _blank(match[0])

    return _TOKENS.sub(keep_includes, text)


@dataclass(frozen=True)
class Include:
    line: int
    name: str
    quoted: bool


def includes(text: str) -> list[Include]:
    code = without_comments(text)
    return [
        Include(code.count("\n", 0, m.start("name")) + 1, m["name"][1:-1], m["name"][0] == '"')
        for m in _INCLUDE.finditer(code)
    ]
