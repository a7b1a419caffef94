"""WikiText's way of writing text: every token apart, `@-@` for a hyphen within a word; and back to plain text."""

import re

BESIDE = (
    ("s '", "s'"),  # a plural's genitive
    (re.compile(r"/' [0-9]/"), "/'[0-9]/"),  # between slashes alone, as lm-evaluation-harness has it
    (" @-@ ", "-"),
    (" @,@ ", ","),
    (" @.@ ", "."),
    *((f" {mark} ", f"{mark} ") for mark in ":;.!?,"),
)
WITHIN = tuple(
    (re.compile(rf"{opening}\s*([^{closing}]*?)\s*{closing}"), rf"{plain}\1{end}")
    for opening, closing, plain, end in (
        (r"\(", r"\)", "(", ")"),
        (r"\[", r"\]", "[", "]"),
        ("{", "}", "{", "}"),
        ('"', '"', '"', '"'),
        ("'", "'", "'", "'"),
    )
)
AROUND = (
    ("= = = =", "===="),
    ("= = =", "==="),
    ("= =", "=="),
    (" ° ", "°"),
    (" \n", "\n"),
    ("\n ", "\n"),
    (" N ", " 1 "),
    (" 's", "'s"),
)


def detokenise(text: str) -> str:
    """The plain text, by the rules of lm-evaluation-harness's task `wikitext`, in their order."""
    for old, new in (*BESIDE, *WITHIN, *AROUND):
        text = text.replace(old, new) if isinstance(old, str) else old.sub(new, text)
    return text


def is_title(line: str) -> bool:
    """Whether a line begins an article: `= Title =`, and not `= = Section = =`."""
    plain = line.replace("= = =", "===").replace("= =", "==").strip()
    return plain.startswith("= ") and plain.endswith(" =")
