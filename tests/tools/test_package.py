"""What is installed elsewhere, on Colab for instance, must be the whole package."""

import re
import subprocess
import sys
from pathlib import Path

DAA = Path(__file__).resolve().parents[2] / "daa"


def test_every_folder_with_modules_is_a_package():
    without = {path.parent.relative_to(DAA).as_posix() for path in DAA.rglob("*.py")} - {
        path.parent.relative_to(DAA).as_posix() for path in DAA.rglob("__init__.py")
    }
    assert not without


def test_it_imports_and_works_where_no_compiled_code_can_be_kept():
    nowhere = (
        "import numba.core.caching as caching\n"
        "for kind in vars(caching).values():\n"
        "    if isinstance(kind, type) and hasattr(kind, '_locator_classes'): kind._locator_classes = []\n"
        "import numpy, daa.metrics, daa.relevance, daa.losses\n"
        "from daa.ranks import ranks\n"
        "print(ranks(numpy.array([0.5, 0.7])).tolist())\n"
    )
    done = subprocess.run([sys.executable, "-c", nowhere], capture_output=True, text=True, cwd=DAA.parent)
    assert (done.returncode, done.stdout) == (0, "[2.0, 1.0]\n"), done.stderr


def test_every_public_part_can_be_imported_first():
    """No circle of imports: each in a process of its own, forked from one that has loaded what they all need."""
    parts = sorted(path.stem for path in DAA.glob("[a-z]*") if path.suffix in ("", ".py"))
    names = [f"daa.{part}" for part in [*parts, "training.loop", "encoders.cross_attention", "reproduce.run"]]
    script = (
        "import os, sys\n"
        "import accelerate, jaxtyping, matplotlib.pyplot, numba, pandas, scipy.sparse, sklearn, torch, torchvision\n"
        "for name in sys.argv[1:]:\n"
        "    child = os.fork()\n"
        "    if not child:\n"
        "        try:\n"
        "            __import__(name)\n"
        "        except BaseException as error:\n"
        "            print(name, repr(error), flush=True)\n"
        "        os._exit(0)\n"
        "    os.waitpid(child, 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, *names], capture_output=True, text=True, cwd=DAA.parent)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_the_front_door_hands_on_every_name_and_loads_nothing_heavy():
    script = (
        "import sys, daa\n"
        "assert not {'torch', 'numpy', 'scipy', 'numba'} & set(sys.modules)\n"
        "for name in daa.__all__: assert getattr(daa, name) is not None, name\n"
        "from daa.ranks import ranks\n"
        "from types import ModuleType\n"
        "assert isinstance(daa.ranks, ModuleType) and callable(ranks) and daa.soft_ranks is daa.ranks.soft_ranks\n"
        "print(len(daa.__all__))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=DAA.parent)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 24


def test_no_page_or_message_sends_anyone_to_the_stranger_called_daa_on_the_package_index():
    stranger = re.compile(r"pip3? install[^\n]*?[\"' ]daa(?![-\w/.])")
    places = [path for part in ("daa", "book", "tools") for path in (DAA.parent / part).rglob("*.*")]
    texts = [path for path in (*places, *DAA.parent.glob("*.md")) if path.suffix in (".py", ".md", ".ipynb")]
    assert [path for path in texts if stranger.search(path.read_text(encoding="utf-8"))] == []
    assert stranger.search('pip install "daa[dask]"')
    assert stranger.search("pip install daa")


def test_the_command_says_its_version():
    done = subprocess.run(
        [sys.executable, "-m", "daa", "--version"], capture_output=True, text=True, cwd=DAA.parent, check=True
    )
    assert re.fullmatch(r"daa \S+\n", done.stdout)
