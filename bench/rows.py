"""Rows of the benchmark: a ratio of two sides measured in turns, its goal, and the table people read."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Goal:
    text: str
    met: Callable[[Row], bool]


def ratio_at_least(bound: float) -> Goal:
    return Goal(f"ratio >= {bound:g}", lambda row: row.ratio >= bound)


def ratio_at_most(bound: float) -> Goal:
    return Goal(f"ratio <= {bound:g}", lambda row: row.ratio <= bound)


def ours_at_most(bound: float) -> Goal:
    return Goal(f"ours <= {bound:g}", lambda row: row.ours <= bound)


def above_theirs_at_most(bound: float) -> Goal:
    return Goal(f"ours <= theirs + {bound:g}", lambda row: row.ours <= row.theirs + bound)


def both(first: Goal, second: Goal) -> Goal:
    return Goal(f"{first.text}, {second.text}", lambda row: first.met(row) and second.met(row))


@dataclass
class Row:
    """`ours` and `theirs` are medians; `ratio`, `min` and `max` are of the pairwise ratios ours/theirs."""

    name: str
    unit: str
    ours: float
    theirs: float
    ratio: float
    runs: int
    min: float
    max: float
    goal: Goal | None = None
    notes: list[str] = field(default_factory=list)

    @staticmethod
    def of(name: str, unit: str, ours: list[float], theirs: list[float], goal: Goal | None = None) -> Row:
        if len(ours) != len(theirs) or not ours:
            raise ValueError(f"{name}: {len(ours)} runs of ours, {len(theirs)} of theirs")
        ratios = [a / b if b else float("inf") for a, b in zip(ours, theirs)]
        return Row(name, unit, statistics.median(ours), statistics.median(theirs), statistics.median(ratios),
                   len(ratios), min(ratios), max(ratios), goal)

    def as_json(self) -> dict[str, object]:
        figures: dict[str, object] = {
            "name": self.name, "ours": self.ours, "theirs": self.theirs, "unit": self.unit,
            "ratio": self.ratio, "runs": self.runs, "min": self.min, "max": self.max,
        }
        if self.goal:
            figures |= {"goal": self.goal.text, "met": self.goal.met(self)}
        if self.notes:
            figures["notes"] = self.notes
        return figures

    def verdict(self) -> str:
        if not self.goal:
            return ""
        return f"{self.goal.text}: {'met' if self.goal.met(self) else 'SHORT'}"


@dataclass
class NotRun:
    """Stands where rows are missing, and says why."""

    name: str
    reason: str

    def as_json(self) -> dict[str, object]:
        figures: dict[str, object] = {"name": self.name, "error": self.reason}
        return figures | dict.fromkeys(("ours", "theirs", "unit", "ratio", "runs", "min", "max"))


HEADINGS = ("name", "ours", "theirs", "unit", "ratio", "min", "max", "runs", "goal")


def figure(value: float) -> str:
    """Three significant digits, without an exponent."""
    if value == 0 or value != value or abs(value) == float("inf"):
        return f"{value:g}"
    digits = 2
    while digits > 0 and abs(value) >= 10 ** (3 - digits):
        digits -= 1
    while abs(value) < 10 ** (2 - digits) and digits < 5:
        digits += 1
    return f"{value:.{digits}f}"


def cells(row: Row) -> tuple[str, ...]:
    figures = (figure(row.ratio), figure(row.min), figure(row.max), str(row.runs), row.verdict())
    return (row.name, figure(row.ours), figure(row.theirs), row.unit, *figures)


def table(rows: Iterable[Row | NotRun]) -> str:
    rows = list(rows)
    lines = [HEADINGS] + [cells(row) for row in rows if isinstance(row, Row)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    left = {0, 3, 8}
    out = []
    for line in lines:
        aligned = (cell.ljust(width) if column in left else cell.rjust(width)
                   for column, (cell, width) in enumerate(zip(line, widths)))
        out.append("  ".join(aligned).rstrip())
    out += [f"  {row.name}: {note}" for row in rows if isinstance(row, Row) for note in row.notes]
    out += [f"  not run: {row.name}: {row.reason}" for row in rows if isinstance(row, NotRun)]
    return "\n".join(out)


def markdown(rows: Iterable[Row | NotRun]) -> str:
    """The table for docs/perf.md."""
    lines = ["| " + " | ".join(HEADINGS) + " |", "|---|--:|--:|---|--:|--:|--:|--:|---|"]
    for row in rows:
        if isinstance(row, Row):
            lines.append("| " + " | ".join(cells(row)) + " |")
        else:
            lines.append(f"| {row.name} | | | | | | | | not run: {row.reason} |")
    return "\n".join(lines)
