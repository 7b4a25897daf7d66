"""Runs in the processes of `kill_server`, as tests ask for them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def serve(folder: Path, scenarios: dict[str, Any]) -> dict[str, list[int]]:
    """Train every scenario in its folder; returns by name the signals that ended its processes."""
    server = subprocess.run(
        [sys.executable, "-m", "tests.training.kill_server", str(folder)],
        input=json.dumps(scenarios),
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert server.returncode == 0, server.stderr
    return json.loads(server.stdout)
