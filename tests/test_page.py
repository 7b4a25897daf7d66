import matplotlib.pyplot as plt
import pandas as pd

from daa.page import Page


def test_a_page_is_one_file_with_everything_escaped(tmp_path):
    page = Page("<b>title</b>")
    page.text("a & b <script>", heading="<i>")
    page.table(pd.DataFrame({"<x>": ["<script>alert(1)</script>"]}))
    page.definitions({"<term>": "<u>what it means</u>"})
    figure = plt.figure()
    page.figure(figure, alt='"quoted" <alt>', caption="<caption>")
    page.write(tmp_path / "page.html")
    html = (tmp_path / "page.html").read_text()
    assert "<script" not in html
    assert "<i>" not in html
    assert "<dt>&lt;term&gt;</dt><dd>&lt;u&gt;what it means&lt;/u&gt;</dd>" in html
    assert 'alt="&#34;quoted&#34; &lt;alt&gt;"' in html
    assert "&lt;caption&gt;" in html
    assert "data:image/png;base64," in html
    assert "http" not in html
    assert not plt.fignum_exists(figure.number)
