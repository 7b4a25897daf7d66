"""One self-contained HTML page: text, tables and figures in a single file that opens anywhere, without a network."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from os import PathLike

import matplotlib.pyplot as plt
import pandas as pd
from jinja2 import Environment
from markupsafe import Markup
from matplotlib.figure import Figure

from daa.files import atomic_write

_ENVIRONMENT = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
_PAGE = _ENVIRONMENT.from_string(
    """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>
:root { color-scheme: light dark; }
body { font: 17px/1.55 system-ui, sans-serif; color: #1f2937; background: #fff; max-width: 52rem; margin: 0 auto;
  padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.8rem; line-height: 1.2; } h2 { margin-top: 2.5rem; font-size: 1.3rem; }
figure { margin: 1.2rem 0; } figure img { max-width: 100%; height: auto; background: #fff; }
dt { font-weight: 600; margin-top: 0.4rem; } dd { margin-left: 1.2rem; }
figcaption { color: #4b5563; font-size: 0.95rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; white-space: nowrap; }
th, td { padding: 0.3rem 0.8rem; text-align: right; border-bottom: 1px solid #e5e7eb; }
th { text-align: left; font-weight: 600; } thead th { border-bottom: 2px solid #9ca3af; }
thead th:not(:first-child) { text-align: right; }
caption { text-align: left; font-weight: 600; padding-bottom: 0.4rem; }
@media (max-width: 40rem) { th, td { padding: 0.3rem 0.35rem; font-size: 0.9rem; } }
@media (prefers-color-scheme: dark) {
  body { color: #e5e7eb; background: #111827; } figcaption { color: #9ca3af; }
  th, td { border-color: #374151; } figure img { border-radius: 6px; }
}
</style>
</head>
<body>
<h1>{{ title }}</h1>
{% for part in parts %}
{{ part }}
{% endfor %}
</body>
</html>
"""
)
_FIGURE = _ENVIRONMENT.from_string(
    '<figure><img alt="{{ alt }}" src="data:image/png;base64,{{ data }}">'
    "<figcaption>{{ caption }}</figcaption></figure>"
)
_DEFINITIONS = _ENVIRONMENT.from_string(
    "<dl>{% for term, text in terms.items() %}<dt>{{ term }}</dt><dd>{{ text }}</dd>{% endfor %}</dl>"
)
_TEXT = _ENVIRONMENT.from_string("{% if heading %}<h2>{{ heading }}</h2>{% endif %}<p>{{ text }}</p>")


class Page:
    """A page made from top to bottom, then written. All text is escaped.

    >>> page = Page("Scores")
    >>> page.text("Captions may hold <tags> & more.", heading="Note")
    >>> "&lt;tags&gt; &amp; more" in page.html()
    True
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self._parts: list[Markup] = []

    def text(self, text: str, heading: str = "") -> None:
        """A paragraph, under a heading if given."""
        self._parts.append(Markup(_TEXT.render(text=text, heading=heading)))

    def definitions(self, terms: Mapping[str, str]) -> None:
        """Words and what they mean, one below the other."""
        self._parts.append(Markup(_DEFINITIONS.render(terms=terms)))

    def table(self, frame: pd.DataFrame) -> None:
        """A data frame with its index."""
        self._parts.append(Markup(f'<div class="scroll">{frame.to_html(border=0, escape=True)}</div>'))

    def markup(self, html: str) -> None:
        """HTML that is already escaped, such as `Report._repr_html_()`."""
        self._parts.append(Markup(f'<div class="scroll">{html}</div>'))

    def figure(self, figure: Figure, alt: str, caption: str) -> None:
        """A figure, embedded as PNG at twice the screen's resolution; it is closed."""
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=180)
        plt.close(figure)
        data = base64.b64encode(buffer.getvalue()).decode()
        self._parts.append(Markup(_FIGURE.render(alt=alt, caption=caption, data=data)))

    def html(self) -> str:
        """The whole page."""
        return _PAGE.render(title=self.title, parts=self._parts)

    def write(self, path: str | PathLike) -> None:
        """Write the page, whole or not at all."""
        with atomic_write(path) as aside:
            aside.write_text(self.html(), encoding="utf-8")
