"""How compact the house is: modules and lines, who imports whom, and how far a matrix walks to its table.

    python tools/house.py                      # this tree
    python tools/house.py --tree ../before     # another one, for comparison
    python tools/house.py --show stops         # the functions that the matrix passes, in order

Imports are read from the code, those inside functions and for type checkers included. A *stop* is a function of `daa`
that, in one run of `daa score` (one system, one relevance, two captions an image), takes or gives the scores or what
was made of them; the insides of ranks, relevance and the readers of captions are not counted, since no score passes
them. They are counted with floors and, beside versions that had none, without. A *climb* is a call that leaves a room
for one on a floor above it.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROW = re.compile(r"^\| (\d+) \| `(daa[\w.]*)` \|", re.MULTILINE)
FLOOR_OF = {name: int(floor) for floor, name in ROW.findall((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))}


def modules(tree: Path) -> dict[str, Path]:
    """Every module of the package by its dotted name."""
    found = {}
    for path in sorted((tree / "daa").rglob("*.py")):
        parts = path.relative_to(tree).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(tree: Path) -> dict[str, set[str]]:
    """The modules of the package that each of its modules names in an import, wherever the import stands."""
    known = modules(tree)
    arrows: dict[str, set[str]] = {}
    for name, path in known.items():
        arrows[name] = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                wanted = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                inside = [f"{node.module}.{alias.name}" for alias in node.names]
                wanted = [one if one in known else node.module for one in inside]
            else:
                continue
            arrows[name] |= {one for one in wanted if one in known and one != name}
    return arrows


def circles(arrows: dict[str, set[str]]) -> list[list[str]]:
    """Groups of modules that reach each other."""
    reach: dict[str, set[str]] = {}
    for start in arrows:
        seen, todo = set(), [start]
        while todo:
            for following in arrows[todo.pop()] - seen:
                seen.add(following)
                todo.append(following)
        reach[start] = seen
    groups = {tuple(sorted(b for b in reach[a] if a in reach[b])) for a in arrows if a in reach[a]}
    return [list(group) for group in sorted(groups)]


def room(module: str) -> tuple[int, str]:
    """Floor and room of a module; a module of no room stands above all, so that it is seen."""
    parts = module.split(".")
    longer = [".".join(parts[:n]) for n in range(len(parts), 1, -1)] or [module]
    name = next((one for one in longer if one in FLOOR_OF), module)
    return FLOOR_OF.get(name, 1 + max(FLOOR_OF.values())), name


def between_rooms(arrows: dict[str, set[str]]) -> dict[str, set[str]]:
    """The rooms that the modules of each room name."""
    rooms: dict[str, set[str]] = {}
    for name, targets in arrows.items():
        own = room(name)[1]
        rooms.setdefault(own, set()).update(other for other in (room(one)[1] for one in targets) if other != own)
    return rooms


def upward(arrows: dict[str, set[str]]) -> list[str]:
    """Imports of another room that is not on a floor below."""
    return [
        f"{name} -> {target}"
        for name, targets in arrows.items()
        for target in sorted(targets)
        if room(name)[1] != room(target)[1] and room(target)[0] >= room(name)[0] and name != "daa"
    ]


# Runs in a process of its own, with the tree to be measured first on its path.
_WALK = """
import json, sys, types
import numpy as np, torch
counted = ("daa.cli", "daa.scores", "daa.matrix", "daa.metrics", "daa.evaluation")
home = sys.argv[1]
stops, climbs, stack, seen = [], [], [], set()
def holds(value, depth=2):
    if isinstance(value, (np.ndarray, torch.Tensor)):
        return value.ndim > 0
    if type(value).__module__.startswith(counted) and not isinstance(value, (type, types.FunctionType)):
        inside = list(getattr(value, "__dict__", {}).values()) + (list(value) if isinstance(value, tuple) else [])
        return depth > 0 and any(holds(one, depth - 1) for one in inside)
    if isinstance(value, dict):
        return depth > 0 and any(holds(one, depth - 1) for one in list(value.values())[:50])
    if isinstance(value, (list, tuple)):
        return depth > 0 and any(holds(one, depth - 1) for one in value[:50])
    return type(value).__name__ in ("Table", "DataFrame")
def profile(frame, event, result):
    code = frame.f_code
    if not code.co_filename.startswith(home) or code.co_name.startswith("<"):
        return
    name = frame.f_globals.get("__name__", "")
    if event == "call":
        caller = stack[-1] if stack else ""
        stack.append(name)
        if not name.startswith(counted):
            return
        takes = any(holds(frame.f_locals.get(v)) for v in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])
        if takes:
            seen.add(id(frame))
            note(name + ":" + code.co_qualname, caller, name)
    elif event == "return":
        if stack:
            stack.pop()
        if name.startswith(counted) and id(frame) not in seen and holds(result):
            note(name + ":" + code.co_qualname, stack[-1] if stack else "", name)
        seen.discard(id(frame))
def note(stop, caller, name):
    if stop not in stops:
        stops.append(stop)
        if caller:
            climbs.append([caller, name, stop])
from daa.cli import main
def run(arguments):
    sys.argv = ["daa", *arguments]
    try:
        return main(arguments)
    except TypeError:
        return main()
sys.setprofile(profile)
try:
    run(sys.argv[2:])
except SystemExit:
    pass
finally:
    sys.setprofile(None)
print("\\n@@" + json.dumps({"stops": stops, "calls": climbs}))
"""


def walk(tree: Path, *options: str) -> tuple[list[str], list[str]]:
    """The stops from `daa score`, with further options, to its table, and the calls among them that climb."""
    with tempfile.TemporaryDirectory() as folder:
        import numpy as np

        place = Path(folder)
        np.save(place / "scores.npy", np.random.default_rng(0).normal(size=(4, 8)).astype(np.float32))
        words = ("dog", "cat", "bird", "tree", "car", "boat", "hill", "road")
        (place / "captions.txt").write_text(
            "".join(f"a {word} and a {words[i // 2]}\n" for i, word in enumerate(words))
        )
        asked = ["score", "--scores", "scores.npy", "--caption-file", "captions.txt", "--captions-per-image", "2"]
        ran = subprocess.run(
            [sys.executable, "-c", _WALK, str(tree), *asked, "--relevance", "tfidf", "--no-graded", *options],
            cwd=place,
            env={**os.environ, "PYTHONPATH": str(tree)},
            capture_output=True,
            text=True,
            check=False,
        )
    if "\n@@" not in ran.stdout:
        raise SystemExit(f"daa score did not run: {ran.stderr.strip()[-500:]}")
    answer = json.loads(ran.stdout.rsplit("\n@@", 1)[1])
    climbs = [f"{caller} -> {stop}" for caller, name, stop in answer["calls"] if room(caller)[0] < room(name)[0]]
    return answer["stops"], climbs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tree", type=Path, default=ROOT, help="the checkout")
    parser.add_argument("--show", choices=("lines", "stops", "arrows"), help="list what is counted, too")
    asked = parser.parse_args()
    tree = asked.tree.resolve()
    lines = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in modules(tree).items()}
    arrows = imports(tree)
    stops, climbs = walk(tree)
    has_floors = (tree / "daa" / "evaluation" / "floors.py").is_file()  # an older tree has no such option
    plain, plain_climbs = walk(tree, "--no-floors") if has_floors else (stops, climbs)
    print(
        f"modules            {len(lines)}  ({sum(n < 100 for n in lines.values())} below 100 lines, "
        f"{sum(n > 300 for n in lines.values())} over 300)"
    )
    print(f"lines              {sum(lines.values()):,}")
    print(f"circles            {len(circles(arrows))} of modules, {len(circles(between_rooms(arrows)))} of rooms")
    print(f"upward arrows      {len(upward(arrows))}")
    print(f"stops of a matrix  {len(stops)}, {len(climbs)} of them reached by climbing")
    print(f"without floors     {len(plain)}, {len(plain_climbs)} of them reached by climbing")
    if asked.show == "lines":
        print(*(f"{n:5d}  {name}" for name, n in sorted(lines.items(), key=lambda one: -one[1])), sep="\n")
    if asked.show == "stops":
        of_floors = ("" if one in plain else "  (floors)" for one in stops)
        print(*(one + note for one, note in zip(stops, of_floors, strict=True)), "", "climbs:", *climbs, sep="\n")
    if asked.show == "arrows":
        print(
            *(f"circle: {', '.join(one)}" for one in circles(arrows) + circles(between_rooms(arrows))),
            *upward(arrows),
            sep="\n",
        )


if __name__ == "__main__":
    main()
