"""From a caption to its words: a tokenizer in the manner of the Penn Treebank, without Java."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

Tokenizer = Callable[[str], Sequence[str]]

BRACKETS = {"(": "-lrb-", ")": "-rrb-", "[": "-lsb-", "]": "-rsb-", "{": "-lcb-", "}": "-rcb-"}

_TOKEN = re.compile(
    r"""
    \d+(?:[.,:/]\d+)+                         # 1,000  3.5  10:30  1/2
  | (?:[a-z]\.){2,}                           # u.s.
  | (?:mr|mrs|ms|dr|st|jr|sr|vs|etc)\.(?=\s+\S)
  | [^\W_]+(?:[-_/&.@](?=[^\W_])[^\W_]+|['’](?!s\b|m\b|d\b|ll\b|re\b|ve\b)[^\W_]+)*
  | ['’](?:s|m|d|ll|re|ve)\b
  | \.{2,} | -+ | `+ | ''
  | \S
    """,
    re.VERBOSE,
)
_NOT = re.compile(r"(?<=[a-z])n['’]t\b")
_DROPPED = re.compile(r"['’`\"“”]+|[.]+|-+|[?!,:;]")
_JOINED = re.compile(r"\b(can)(not)\b|\b(gon|wan)(na)\b|\b(got)(ta)\b|\b(gim|lem)(me)\b")


def ptb_like(caption: str) -> list[str]:
    """Lower-case words in the manner of the Penn Treebank, punctuation dropped.

    Contractions are split ("don't" is "do n't", "girl's" is "girl 's"), hyphened words stay whole, and what
    pycocoevalcap's list calls punctuation is dropped. Brackets stay, as "-lrb-" and so on, because they do in
    pycocoevalcap, whose list has them in capitals only.

    >>> ptb_like("The girl's dog doesn't like a well-known cat.")
    ['the', 'girl', "'s", 'dog', 'does', "n't", 'like', 'a', 'well-known', 'cat']
    """
    text = _JOINED.sub(lambda m: " ".join(g for g in m.groups() if g), _NOT.sub(" n't", caption.lower()))
    tokens = _TOKEN.findall(text)
    return [BRACKETS.get(token, token) for token in tokens if not _DROPPED.fullmatch(token)]
