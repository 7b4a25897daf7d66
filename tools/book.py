"""Keep the book in order: its address, its notebooks, its rendered pages.

python tools/book.py address          write the repository's address into everything derived from it
python tools/book.py check            hold sources to the rules of the house; exit 1 with a line per fault
python tools/book.py execute [NAME]   run the notebooks (whose path contains NAME) in fresh kernels, keep the outputs
python tools/book.py rendered DIR     hold the built pages to what readers need: links, figures, nothing remote
"""

from __future__ import annotations

import html.parser
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlparse

import nbformat
import yaml

ROOT = Path(__file__).resolve().parent.parent
DERIVED = [
    "README.md",
    "daa/distribution.py",
    "CITATION.cff",
    "CONTRIBUTING.md",
    "_config.yml",
    ".github/workflows/*.yml",
    "book/*.md",
    "book/*.ipynb",
]
MAX_WORDS, MAX_CODE_CELLS = 2500, 25
MAX_COLUMNS = 92  # of code, beside the sidebars at 1280 pixels
PRIVATE_PATH = re.compile(r"(/home/|/root/|/tmp/|/Users/|[A-Z]:\\\\)")


def address() -> str:
    """The repository's address, from the one place where it is set."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]["Repository"].rstrip("/")


def derived_address() -> str:
    """The address that the derived files hold now."""
    return yaml.safe_load((ROOT / "_config.yml").read_text())["repository"]["url"]


def setup_cell() -> str:
    """The first code cell of every notebook."""
    name = address().rsplit("/", 1)[1]
    return (
        "# On Colab this fetches the book and installs its package; elsewhere it does nothing.\n"
        "import os\n"
        "import sys\n\n"
        'if "google.colab" in sys.modules:\n'
        f'    os.system("git clone -q --depth 1 {address()} /content/{name}")\n'
        f'    os.system("pip install -q /content/{name}")\n'
        f'    os.chdir("/content/{name}/book")'
    )


def chapters() -> list[Path]:
    """The notebooks in the order of the table of contents."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())

    def files(node: object) -> Iterator[str]:
        if isinstance(node, dict):
            for key in ("root", "file"):
                if key in node:
                    yield node[key]
            for value in node.values():
                yield from files(value)
        elif isinstance(node, list):
            for value in node:
                yield from files(value)

    return [path for name in files(toc) if (path := ROOT / f"{name}.ipynb").exists()]


def write_address() -> None:
    old, new = derived_address(), address()
    for pattern in DERIVED:
        for path in ROOT.glob(pattern):
            text = path.read_text()
            for before, after in ((old, new), (old.removeprefix("https://"), new.removeprefix("https://"))):
                text = text.replace(before, after)
            slug_old, slug_new = urlparse(old).path, urlparse(new).path
            text = text.replace(f"/github{slug_old}/", f"/github{slug_new}/")
            path.write_text(text)
    for path in chapters():
        notebook = nbformat.read(path, as_version=4)
        code_cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
        if code_cells and code_cells[0].source.startswith("# On Colab"):
            code_cells[0].source = setup_cell()
            nbformat.write(notebook, path)
    print(f"{new} is now in {', '.join(DERIVED)}")


def faults_of_notebook(path: Path) -> Iterator[str]:
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    if not code or code[0].source != setup_cell():
        yield "its first code cell is not the Colab setup cell; copy it from another chapter or run `make address`"
    if [cell.execution_count for cell in code] != list(range(1, len(code) + 1)):
        yield "not executed from top to bottom in a fresh kernel; run `make notebooks`"
    if len(code) > MAX_CODE_CELLS:
        yield f"{len(code)} code cells, at most {MAX_CODE_CELLS}"
    words = sum(len(cell.source.split()) for cell in notebook.cells if cell.cell_type == "markdown")
    if words > MAX_WORDS:
        yield f"{words} words, at most {MAX_WORDS}"
    if not any("assert" in cell.source for cell in code):
        yield "asserts nothing"
    for cell in code[1:]:
        longest = max(map(len, cell.source.splitlines()), default=0)
        if longest > MAX_COLUMNS:
            yield f"cell [{cell.execution_count}] has a line of {longest} columns, at most {MAX_COLUMNS}"
    for cell in code:
        for output in cell.outputs:
            text = nbformat.v4.writes(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(outputs=[output])]))
            if output.output_type == "error":
                yield f"cell [{cell.execution_count}] shows an error"
            elif output.get("name") == "stderr":
                yield f"cell [{cell.execution_count}] shows a warning or other text on stderr"
            if PRIVATE_PATH.search(re.sub(r'"image/(png|jpeg)": "[^"]*"', "", text)):
                yield f"cell [{cell.execution_count}] shows an absolute path of a machine"
            if any(kind.startswith("image/") for kind in output.get("data", {})) and not alt_text(cell):
                yield f"cell [{cell.execution_count}] draws a figure without alt text (cell metadata mystnb.image.alt)"


def alt_text(cell: nbformat.NotebookNode) -> str:
    return cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")


def check() -> Iterator[str]:
    """Every fault in the sources, a line each."""
    if derived_address() != address():
        yield f"_config.yml: repository is {derived_address()}, pyproject.toml says {address()}; run `make address`"
    for name in ("README.md", "CITATION.cff"):
        if address() not in (ROOT / name).read_text():
            yield f"{name}: does not hold {address()}; run `make address`"
    in_toc = set(chapters())
    for path in sorted((ROOT / "book").glob("*.ipynb")):
        if path not in in_toc:
            yield f"{path.relative_to(ROOT)}: not in _toc.yml"
        for fault in faults_of_notebook(path):
            yield f"{path.relative_to(ROOT)}: {fault}"


def execute(name: str = "") -> None:
    """Run notebooks in fresh kernels and keep their outputs; a failing notebook stays as it was."""
    from nbclient import NotebookClient

    for path in chapters():
        if name not in str(path):
            continue
        print(f"{path.relative_to(ROOT)} ...", flush=True)
        notebook = nbformat.read(path, as_version=4)
        NotebookClient(
            notebook,
            timeout=600,
            kernel_name="python3",
            resources={"metadata": {"path": str(path.parent)}},
            record_timing=False,
            coalesce_streams=True,
        ).execute()
        notebook.metadata = {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
        nbformat.write(notebook, path)


class _Page(html.parser.HTMLParser):
    """The addresses and pictures of one rendered page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.links: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        if tag == "img":
            self.images.append(given)
        if tag in ("script", "img", "source", "iframe") and given.get("src"):
            self.loaded.append(given["src"] or "")
        if tag == "link" and given.get("rel") in ("stylesheet", "preload", "icon") and given.get("href"):
            self.loaded.append(given["href"] or "")
        if tag == "a" and given.get("href"):
            self.links.append(given["href"] or "")


def rendered(folder: Path) -> Iterator[str]:
    """Every fault in the built pages, a line each."""
    toc_pages = [path.relative_to(ROOT).with_suffix(".html") for path in chapters()]
    for page in toc_pages:
        if not (folder / page).exists():
            yield f"{page}: in _toc.yml but not built"
    for path in sorted(folder.glob("book/*.html")):
        page, name = _Page(path), path.relative_to(folder)
        for source in page.loaded:
            target = urlparse(source)
            if target.scheme in ("http", "https") or source.startswith("//"):
                yield f"{name}: fetches {source} from another host"
            elif target.scheme != "data" and target.path and not (path.parent / unquote(target.path)).exists():
                yield f"{name}: {source} does not exist"
        for image in page.images:
            if not image.get("alt") or image["alt"].startswith(("../_images", "_images")):
                yield f"{name}: the image {image.get('src', '')[:60]} has no alt text"
        for link in page.links:
            for kind in ("/blob/", "/edit/"):
                if address().split("github.com")[1] + kind in link and "colab" in link + kind:
                    source = link.split(kind, 1)[1].split("/", 1)[1]
                    if not (ROOT / source).exists():
                        yield f"{name}: the Colab link opens {source}, which does not exist"
    if not any("colab.research.google.com" in link for page in toc_pages for link in _Page(folder / page).links):
        yield "no page has a Colab link"


def report(faults: Iterator[str]) -> None:
    found = list(dict.fromkeys(faults))
    print("\n".join(found) or "in order")
    sys.exit(1 if found else 0)


def main(arguments: list[str]) -> None:
    match arguments:
        case ["address"]:
            write_address()
        case ["check"]:
            report(check())
        case ["execute", *name]:
            execute(*name)
        case ["rendered", folder]:
            report(rendered(Path(folder).resolve()))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
