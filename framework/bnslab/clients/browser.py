"""A browser for the tests of the panel: Chromium of this machine, driven by Playwright."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from bnslab.clients.errors import ClientUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Page

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_ADVICE = "install Chromium (Debian, Ubuntu: apt install chromium; macOS: brew install chromium)"
# Nothing of it may look for the world outside.
_QUIET = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)


def find_browser(path: str | None = None) -> Path | str:
    """The Chromium on PATH, or on the path given; ClientUnavailable if there is none, or no Playwright to drive it."""
    found = next(filter(None, (shutil.which(name, path=path) for name in PROGRAMS)), None)
    if found is None:
        raise ClientUnavailable(f"no {PROGRAMS[0]} on PATH; what to do: {_ADVICE}")
    if find_spec("playwright") is None:
        raise ClientUnavailable(
            "playwright is not installed; what to do: ./lab test --all, or pip install 'bnslab[browser]'"
        )
    return found


@contextmanager
def page(program: Path | str, profile: Path) -> Iterator[Page]:
    """A page of a headless browser whose files are in profile; the browser ends with the block."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            profile, executable_path=program, headless=True, args=_QUIET, timeout=60_000
        )
        try:
            yield context.pages[0]
        finally:
            context.close()
