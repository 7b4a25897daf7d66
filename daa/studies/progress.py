"""How far a study of several runs is, and how long it will still take."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

EVERY = 30.0
"""Seconds between two lines where there is no terminal."""
FIRST, FIRST_STEPS = 5.0, 3
"""Seconds and steps until the first line: by then a guess at the rest is worth something."""


class StudyProgress:
    """A bar over all runs on a terminal; elsewhere, on stderr, how many runs there are, and a line every half minute.

    How long it will still take is judged by the runs of this call: an arm's runs take what its earlier ones took, an
    arm that has not begun what the others take.

    Args:
        runs: of each the arm and the seed, in the order in which they are trained.
        found: how many of them were there already, and are not in `runs`.
        quiet: show nothing.
        clock: seconds, from any start.

    >>> seconds = iter([0.0, 0.0, 5.0, 10.0])  # entered, begun, and two steps
    >>> with StudyProgress([("baseline", 0), ("DAA", 0)], quiet=True, clock=lambda: next(seconds)) as progress:
    ...     progress.begin("baseline", 0)
    ...     progress.step(1, 4)
    ...     progress.step(2, 4)
    ...     progress.line(10.0)
    'run 1 of 2 (baseline, seed 0): 50 % of it done; 0:10 gone, about 0:30 to go'
    """

    def __init__(
        self,
        runs: Sequence[tuple[str, int]],
        found: int = 0,
        quiet: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.runs, self.found, self.quiet, self.clock = list(runs), found, quiet, clock
        self.number, self.share, self.steps = -1, 0.0, 0
        self.after_first = (0.0, 0.0)  # share and seconds of the run, when its first step was done
        self.seconds: list[float] = []  # of the runs that are done
        self.bar: Progress | None = None
        if not quiet and runs and sys.stderr.isatty():
            columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[left]}"))
            self.bar = Progress(*columns, console=Console(stderr=True))
            self.task = self.bar.add_task("", total=len(self.runs), left="")

    def __enter__(self) -> StudyProgress:
        self.started = self.begun = self.clock()
        self.next_line = self.started + FIRST
        arms = ", ".join(dict.fromkeys(arm for arm, _ in self.runs))
        there = f"; {self.found} more are there already" if self.found else ""
        if self.runs:
            self._say(f"{len(self.runs)} runs to train ({arms}){there}")
        if self.bar:
            self.bar.start()
        return self

    def __exit__(self, *exc: object) -> None:
        if self.bar:
            self.bar.stop()

    def begin(self, arm: str, seed: int) -> None:
        """The next run begins, which ends the one before."""
        now = self.clock()
        if self.number >= 0:
            self.seconds.append(now - self.begun)
        self.number, self.share, self.steps, self.begun = self.number + 1, 0.0, 0, now
        if self.runs[self.number] != (arm, seed):
            raise ValueError(f"arm, seed: expected {self.runs[self.number]} as the next run, got {(arm, seed)}")

    def step(self, done: int, steps: int) -> None:
        """So many steps of the run are done."""
        self.share, self.steps = done / steps, self.steps + 1
        now = self.clock()
        if self.steps == 1:
            self.after_first = self.share, now - self.begun
        if self.bar:
            which, left = self.line(now).split(": ", 1)
            self.bar.update(self.task, description=which, completed=self.number + self.share, left=left.split("; ")[1])
        elif now >= self.next_line and (self.seconds or self.steps >= FIRST_STEPS):
            self._say(self.line(now))
            self.next_line = now + EVERY

    def left(self, now: float) -> float:
        """Seconds that it will still take, by what has been seen; 0 if nothing has."""
        current = self.runs[self.number]
        known: dict[str, list[float]] = {}
        for (arm, _), seconds in zip(self.runs, self.seconds, strict=False):
            known.setdefault(arm, []).append(seconds)
        share, seconds_to_first = self.after_first
        if self.steps > 1 and (self.share > 0.1 or not known):  # a first step may take as long as a hundred others
            pace = (now - self.begun - seconds_to_first) / (self.share - share)
            known.setdefault(current[0], []).append(seconds_to_first + (1 - share) * pace)
        of_arm = {arm: sum(seconds) / len(seconds) for arm, seconds in known.items()}
        typical = sum(of_arm.values()) / max(len(of_arm), 1)
        rest = max(of_arm.get(current[0], typical) - (now - self.begun), 0.0)
        return rest + sum(of_arm.get(arm, typical) for arm, _ in self.runs[self.number + 1 :])

    def line(self, now: float) -> str:
        """Where it is, in a line."""
        arm, seed = self.runs[self.number]
        times = f"{_minutes(now - self.started)} gone, about {_minutes(self.left(now))} to go"
        which = f"run {self.number + 1} of {len(self.runs)} ({arm}, seed {seed})"
        return f"{which}: {100 * self.share:.0f} % of it done; {times}"

    def _say(self, text: str) -> None:
        if not self.quiet and not self.bar:
            print(text, file=sys.stderr, flush=True)


def _minutes(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
