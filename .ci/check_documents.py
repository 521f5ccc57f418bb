"""What ``mkdocs build`` checks beside the pages: the links of the Markdown files at the top, and that no page needs a network."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

from markdown.extensions.toc import slugify

ROOT = Path(__file__).resolve().parent.parent

_CODE = re.compile(r"^(`{3,}).*?^\1|`[^`\n]+`", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)|(?:href|src)=\"([^\"]+)\"")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_FETCHED = re.compile(r"<(?:script|img|iframe)[^>]* src=\"(?:https?:)?//[^\"]+|<link[^>]* href=\"(?:https?:)?//[^\"]+")

# Under --strict, a warning here fails the build.
_log = logging.getLogger("mkdocs.hooks")


def on_pre_build(**_: Any) -> None:
    """Warn of every link of the files at the top that leads nowhere."""
    for document in sorted(ROOT.glob("*.md")):
        for link in broken_links(document):
            _log.warning("%s: there is no %s", document.name, link)


def on_post_page(output: str, page: Any, **_: Any) -> str:
    """Warn of whatever a built page would fetch from elsewhere."""
    for fetched in _FETCHED.findall(output):
        _log.warning("%s is fetched from elsewhere: %s", page.file.src_uri, fetched)
    return output


def broken_links(document: Path) -> list[str]:
    """The relative links of a Markdown file whose file or heading does not exist."""
    text = _CODE.sub("", document.read_text(encoding="utf-8"))
    links = (first or second for first, second in _LINK.findall(text))
    return [link for link in links if not re.match(r"\w+:", link) and not _leads_somewhere(document, link)]


def _leads_somewhere(document: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = document.parent / path if path else document
    if not anchor or not target.is_file():
        return target.exists()
    headings = _HEADING.findall(target.read_text(encoding="utf-8"))
    return anchor in {slugify(heading.replace("`", ""), "-") for heading in headings}
