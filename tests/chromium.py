"""The system's Chromium, for tests of pages."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, sync_playwright


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start it; its tests may be skipped only outside CI."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None and "CI" not in os.environ:
        pytest.skip("no chromium here")
    assert program, "no chromium: CI has to install it"
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield opened
        opened.close()
