"""One piece of work in a process of its own, so that its time and its peak memory are its own."""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping

Work = Callable[[], float | None]
"""Does the work once. One that does only a part of it returns the seconds that the rest would have taken."""


def measure(work: Work, repeats: int) -> dict[str, float]:
    """Median seconds of some repeats (after one to warm up, if there are several) and peak memory of this process."""
    if repeats > 1:
        work()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        rest = work()
        seconds.append(time.perf_counter() - start + (rest or 0.0))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"seconds": statistics.median(seconds), "peak_gigabytes": peak / 1e9}


def in_own_process(file: str, name: str, repeats: int) -> dict[str, float]:
    """`measure` of the work called `name` in a script that calls `answer`."""
    command = [sys.executable, file, name, str(repeats)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{name}: {done.stderr.strip().splitlines()[-1] if done.stderr else done.returncode}")
    return json.loads(done.stdout.splitlines()[-1])


def answer(prepare: Mapping[str, Callable[[], Work]]) -> bool:
    """Does what `in_own_process` asked this script for; False if it was not started by that."""
    if len(sys.argv) != 3:
        return False
    print(json.dumps(measure(prepare[sys.argv[1]](), int(sys.argv[2]))))
    return True


def rest_of(seconds: float, share: float) -> float:
    """The seconds that the rest takes when a share of the work took so many."""
    return seconds * (1 / share - 1)
