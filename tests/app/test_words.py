"""Every text of the page in one list, to be read in one go; some words are not for it.

The list is written to ``build/page-texts.txt``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from cleanplate.app.page.choices import choices

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "src" / "cleanplate" / "app" / "page"
SPOKEN = ("app/server", "app/worker", "projects", "tracks/doubts.py", "tracks/choice.py")
OF_PROGRAMS = {"endpoints.py"}  # what programs read in the REST API, not people
LIST = ROOT / "build" / "page-texts.txt"

# Said another way: track, fix, remove, exclude, object; and none that is cute.
UNWANTED = re.compile(
    r"\b(follow(s|ed|ing)?|mend(s|ed|ing)?|tak(e|es|en|ing) away|by your word|things? stays?|"
    r"what is to go|for a moment|by itself alone|oops|please|sorry|magic|simply|just)\b",
    re.IGNORECASE,
)


def of_html(text: str) -> Iterator[str]:
    """What is shown, and what ``title``, ``aria-label`` and ``placeholder`` say."""
    yield from re.findall(r'\b(?:title|aria-label|placeholder)="([^"]+)"', text)
    yield from re.findall(r">([^<>]+)<", text)


def of_script(text: str) -> Iterator[str]:
    """Strings and templates that look like words for a person."""
    text = re.sub(r"/\*.*?\*/|^import .*?;", "", text, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"(^|\s)//.*$", "", text, flags=re.MULTILINE)
    for quoted in re.findall(r'"((?:[^"\\\n]|\\.)*)"|`((?:[^`\\]|\\.)*)`', text):
        for one in quoted:
            said = re.sub(r"\$\{[^}]*\}", "…", one)
            looks_spoken = re.search(r"[A-Za-z]{2,}[ ,.;:…]+[A-Za-z…]", said) or (
                re.fullmatch(r"[A-Z][a-z]+…?", said)
            )
            if looks_spoken and not re.search(r"[<>{}=]|cp-|^\.|^#|\bpx\b|\(\)|/", said):
                yield said


def of_python(text: str) -> Iterator[str]:
    """Strings of modules that speak to the page, docstrings left out."""
    tree = ast.parse(text)
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    fields = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    joined = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for part in node.values
    }
    for node in ast.walk(tree):
        said = ""
        if isinstance(node, ast.JoinedStr):
            said = "".join(
                str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            said = "" if id(node) in docs | fields | joined else node.value
        if re.search(r"[A-Za-z]{2,} [A-Za-z…]", said) and "\n" not in said:
            yield said


def texts() -> dict[str, list[str]]:
    """Every text by the file that it stands in."""
    found: dict[str, list[str]] = {}
    for path in sorted(PAGE.glob("*.html")):
        found[path.name] = [t.strip() for t in of_html(path.read_text()) if t.strip()]
    for path in sorted(PAGE.glob("*.js")):
        found[path.name] = list(of_script(path.read_text()))
    for place in SPOKEN:
        under = ROOT / "src" / "cleanplate" / place
        for path in [under] if under.is_file() else sorted(under.glob("*.py")):
            if path.name not in OF_PROGRAMS:
                name = str(path.relative_to(ROOT / "src" / "cleanplate"))
                found[name] = list(of_python(path.read_text()))
    found["choices"] = [part for one in choices() for part in (one["title"], one["says"])]
    return {name: list(dict.fromkeys(said)) for name, said in found.items() if said}


@pytest.fixture(scope="module")
def listed() -> dict[str, list[str]]:
    found = texts()
    LIST.parent.mkdir(exist_ok=True)
    lines = [f"\n## {name}\n" + "\n".join(said) for name, said in found.items()]
    LIST.write_text("\n".join(lines), encoding="utf-8")
    return found


def test_the_list_holds_what_the_page_says(listed: dict[str, list[str]]) -> None:
    everything = [text for said in listed.values() for text in said]
    assert len(everything) > 300
    for known in (
        "Drop a video here, or several",
        "Track both ways, from every mark (F)",
        "Click what to remove, then Track.",
        "What does not move needs no tracking.",
        "Pick an object first.",
    ):
        assert known in everything


def test_the_page_speaks_with_an_editors_words(listed: dict[str, list[str]]) -> None:
    wrong = {
        name: [text for text in said if UNWANTED.search(text)] for name, said in listed.items()
    }
    assert {name: said for name, said in wrong.items() if said} == {}
