"""The tool that keeps the book in order must see what is out of order."""

import importlib.util
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def book():
    spec = importlib.util.spec_from_file_location("book_tool", ROOT / "tools" / "book.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def copy(book, tmp_path, monkeypatch):
    """A small book of one good chapter, elsewhere."""
    (tmp_path / "book").mkdir()
    for name in ("pyproject.toml", "_config.yml"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    for name in ("README.md", "CITATION.cff"):
        (tmp_path / name).write_text(book.address())
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: book/one\n")
    cells = [nbformat.v4.new_code_cell(book.setup_cell(), execution_count=1)]
    cells.append(nbformat.v4.new_code_cell("assert 1 + 1 == 2", execution_count=2))
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "book" / "one.ipynb")
    monkeypatch.setattr(book, "ROOT", tmp_path)
    return tmp_path


def change(folder, edit):
    path = folder / "book" / "one.ipynb"
    notebook = nbformat.read(path, as_version=4)
    edit(notebook)
    nbformat.write(notebook, path)


def output(kind, **fields):
    return nbformat.v4.new_output(kind, **fields)


def test_a_book_in_order_has_no_faults(book, copy):
    assert list(book.check()) == []


@pytest.mark.parametrize(
    ("edit", "fault"),
    [
        (lambda nb: nb.cells[0].update(source="import daa"), "not the Colab setup cell"),
        (lambda nb: nb.cells[1].update(execution_count=7), "not executed from top to bottom"),
        (lambda nb: nb.cells[1].update(source="1 + 1"), "asserts nothing"),
        (lambda nb: nb.cells[1].update(source="#" * 93), "a line of 93 columns"),
        (lambda nb: nb.cells[1].outputs.append(output("stream", name="stderr", text="Warning")), "on stderr"),
        (lambda nb: nb.cells[1].outputs.append(output("stream", text="/home/me/x")), "absolute path"),
        (lambda nb: nb.cells[1].outputs.append(output("error", ename="E", evalue="", traceback=[])), "shows an error"),
        (lambda nb: nb.cells[1].outputs.append(output("display_data", data={"image/png": "aGk="})), "without alt text"),
        (
            lambda nb: nb.cells[1].outputs.append(output("display_data", data={"image/jpeg": "aGk="})),
            "without alt text",
        ),
        (lambda nb: nb.cells.append(nbformat.v4.new_markdown_cell("word " * 2501)), "2501 words"),
        (
            lambda nb: nb.cells.extend(nbformat.v4.new_code_cell("", execution_count=n) for n in range(3, 27)),
            "26 code cells",
        ),
    ],
)
def test_each_fault_of_a_notebook_is_seen(book, copy, edit, fault):
    change(copy, edit)
    assert any(fault in line for line in book.check())


def test_a_chapter_missing_from_the_contents_is_seen(book, copy):
    (copy / "book" / "two.ipynb").write_text((copy / "book" / "one.ipynb").read_text())
    assert any("book/two.ipynb: not in _toc.yml" in line for line in book.check())


def test_a_new_address_is_missed_until_it_is_written_everywhere(book, copy):
    old, new = book.address(), "https://github.com/somebody/another-book"
    pyproject = copy / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace(old, new))
    faults = list(book.check())
    for name in ("_config.yml", "README.md", "CITATION.cff", "book/one.ipynb"):
        assert any(line.startswith(name) for line in faults), name
    book.write_address()
    assert list(book.check()) == []


def test_rendered_pages_may_not_fetch_from_elsewhere_and_images_need_alt_text(book, copy):
    built = copy / "_build" / "book"
    built.mkdir(parents=True)
    repository = book.address().removeprefix("https://github.com")
    colab = f"https://colab.research.google.com/github{repository}/blob/main/book"
    (built / "one.html").write_text(f'<a href="{colab}/one.ipynb">Colab</a>')
    assert list(book.rendered(built.parent)) == []
    (built / "one.html").write_text(
        f'<a href="{colab}/gone.ipynb">Colab</a><script src="https://cdn.example/x.js"></script><img src="data:,">'
    )
    faults = " ".join(book.rendered(built.parent))
    for expected in ("gone.ipynb, which does not exist", "https://cdn.example/x.js from another host", "no alt text"):
        assert expected in faults
    (built / "one.html").unlink()
    assert "not built" in next(book.rendered(built.parent))
