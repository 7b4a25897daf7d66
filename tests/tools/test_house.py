"""The house as CONTRIBUTING.md draws it, held against the imports."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import house  # noqa: E402


def made(folder: Path, files: dict[str, str]) -> dict[str, set[str]]:
    for name, text in files.items():
        path = folder / "daa" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return house.imports(folder)


def test_no_import_of_the_package_climbs_or_goes_round_in_a_circle():
    arrows = house.imports(ROOT)
    assert len(arrows) > 50
    assert house.upward(arrows) == []
    assert house.circles(arrows) == []
    assert house.circles(house.between_rooms(arrows)) == []


def test_every_room_of_the_table_is_there_and_every_module_is_in_one():
    known = house.modules(ROOT)
    assert set(house.FLOOR_OF) <= set(known)
    assert {name for name in known if house.room(name)[1] not in house.FLOOR_OF} == set()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("from daa.metrics import asp", ["daa.losses.a -> daa.metrics.asp"]),  # beside it
        ("def f():\n    from daa.cli import main", ["daa.losses.a -> daa.cli"]),  # above it, and hidden
        (
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import daa.training",
            ["daa.losses.a -> daa.training"],
        ),
        ("import daa.secret", ["daa.losses.a -> daa.secret"]),  # of no room
        ("from daa.ranks import ranks", []),
    ],
)
def test_an_import_that_climbs_is_seen(tmp_path, text, found):
    others = {
        "metrics/asp.py": "",
        "cli/__init__.py": "",
        "training/__init__.py": "",
        "secret.py": "",
        "ranks/__init__.py": "",
    }
    arrows = made(tmp_path, {"losses/a.py": text, **others})
    assert house.upward(arrows) == found


def test_a_circle_is_seen_between_modules_and_between_rooms(tmp_path):
    files = {"ranks/a.py": "from daa.ranks.b import x", "ranks/b.py": "def f():\n    import daa.ranks.a"}
    rooms = {"corpus.py": "import daa.relevance.c", "relevance/c.py": "", "relevance/d.py": "from daa.corpus import x"}
    arrows = made(tmp_path, files | rooms)
    assert house.circles(arrows) == [["daa.ranks.a", "daa.ranks.b"]]
    assert house.circles(house.between_rooms(arrows)) == [["daa.corpus", "daa.relevance"]]
