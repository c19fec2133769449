"""Google Drive as a server of files: its confirmation page answered, its refusals put in words.

A small file comes at once. Of one that is too large to be scanned for viruses comes a page with a
form, whose answer is the address of the file; a page without one says that the file cannot be had,
now or without signing in. Only Drive's own hosts are asked, whatever a page or a redirection says.
"""

from __future__ import annotations

from collections.abc import Iterable
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

from cleanplate.checkpoints.catalogue import Checkpoint
from cleanplate.errors import WeightsError

HOSTS = ("drive.google.com", "drive.usercontent.google.com", "docs.google.com")
"""Hosts whose answers are Drive's."""
_FILE_HOSTS = ".googleusercontent.com"  # what the hosts that only hold files end in
_SIGN_IN = "accounts.google.com"
_LARGEST_PAGE = 1 << 20
_QUOTA = ("quota exceeded", "too many users", "download quota")
_FORM = "download-form"


def is_drive(url: str) -> bool:
    """Whether an address is one of Drive's."""
    return urlsplit(url).hostname in HOSTS


def check_host(host: str, address: str, checkpoint: Checkpoint) -> None:
    """Raise WeightsError when what began at ``address``, one of Drive's, leads to another host."""
    if host == _SIGN_IN:
        raise WeightsError(
            _sentence("Google Drive asks to sign in for", address, checkpoint, "sign in")
        )
    if host not in HOSTS and not host.endswith(_FILE_HOSTS):
        raise WeightsError(
            _sentence(f"Google Drive leads to {host}, not its own, for", address, checkpoint)
        )


def onward(answer: Any, address: str, checkpoint: Checkpoint) -> str:
    """Where a confirmation page leads; empty when the answer is the file, or no web page.

    Args:
        answer: the httpx response, of which nothing has been read.
        address: what was asked for first.
        checkpoint: which file.

    Raises:
        WeightsError: the page says that the file cannot be had; the message says what to do.
    """
    if not answer.headers.get("Content-Type", "").startswith("text/html"):
        return ""
    text = _page(answer.iter_bytes())
    form = _Form()
    form.feed(text)
    if form.action and form.fields.get("confirm"):
        return f"{urljoin(str(answer.url), form.action)}?{urlencode(form.fields)}"
    lower = text.lower()
    if any(words in lower for words in _QUOTA):
        begin = "Too many people have downloaded it lately: until tomorrow Google Drive refuses"
        raise WeightsError(_sentence(begin, address, checkpoint, "make a copy in a Drive of yours"))
    if _SIGN_IN in lower or answer.status_code in (401, 403):
        begin = "Google Drive asks to sign in for"
        raise WeightsError(_sentence(begin, address, checkpoint, "sign in"))
    raise WeightsError(
        _sentence(f"Google Drive gave a web page ({answer.status_code}) for", address, checkpoint)
    )


def _page(blocks: Iterable[bytes]) -> str:
    """At most the first part of a page: none of Drive's comes near it."""
    page = b""
    for block in blocks:
        page += block
        if len(page) > _LARGEST_PAGE:
            break
    return page.decode("utf-8", "replace")


def _sentence(begin: str, address: str, checkpoint: Checkpoint, first: str = "") -> str:
    identifier = parse_qs(urlsplit(address).query).get("id", [""])[0]
    link = f"https://drive.google.com/file/d/{identifier}/view" if identifier else address
    doing = f"{first}, download" if first else "download"
    return (
        f"{begin} the file of {checkpoint.name}; open {link} in a browser, {doing} it there, then "
        f"type: cleanplate weights import {checkpoint.file} --name {checkpoint.name}"
    )


class _Form(HTMLParser):
    """The form that asks whether to download all the same."""

    def __init__(self) -> None:
        super().__init__()
        self.action = ""
        self.fields: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form" and given.get("id") == _FORM:
            address, _, query = given.get("action", "").partition("?")
            self.action = address
            self.fields |= {name: values[-1] for name, values in parse_qs(query).items()}
        elif tag == "input" and self.action and given.get("type") == "hidden":
            self.fields[given.get("name", "")] = given.get("value", "")
