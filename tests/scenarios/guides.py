"""Checks a book that mdBook has built: a page for each page of SUMMARY.md, and no link or anchor within the book that leads nowhere."""

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """The anchors of a page, and what it refers to."""

    def __init__(self, path):
        super().__init__()
        self.anchors, self.targets = set(), []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name in ("id", "name"):
                self.anchors.add(value)
            elif name in ("href", "src"):
                self.targets.append(value)


def problem(book, pages, path, target):
    """Why a target of a page leads nowhere, if it does."""
    parts = urlsplit(target)
    if parts.scheme or parts.netloc:
        return None
    # The page for what is not found is shown at any address, and refers to the root.
    folder = book if path.name == "404.html" or parts.path.startswith("/") else path.parent
    file = (folder / unquote(parts.path).lstrip("/")).resolve() if parts.path else path
    file = file / "index.html" if file.is_dir() else file
    if not file.is_relative_to(book) or not file.is_file():
        return "there is no such file in the book"
    if parts.fragment and file in pages and unquote(parts.fragment) not in pages[file].anchors:
        return "there is no such anchor"
    return None


docs, book = (Path(argument).resolve() for argument in sys.argv[1:])
pages = {path: Page(path) for path in sorted(book.rglob("*.html"))}
problems = []
for source in re.findall(r"\]\((.+\.md)\)", (docs / "SUMMARY.md").read_text(encoding="utf-8")):
    page = book / re.sub(r"(?:README|index)\.md$", "index.md", source)
    if page.with_suffix(".html") not in pages:
        problems.append(f"{source} did not become a page")
for path, page in pages.items():
    found = ((target, problem(book, pages, path, target)) for target in page.targets)
    problems += [f"{path.relative_to(book)}: {target}: {why}" for target, why in found if why]
if len(pages) < 10 or problems:
    sys.exit("\n".join([f"{len(pages)} pages", *problems]))
