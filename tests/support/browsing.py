"""A page comes to show what a test expects: its scripts run, and pages load, while the test already looks."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, overload

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page
    from playwright.sync_api._generated import LocatorAssertions, PageAssertions

Seen = TypeVar("Seen")

# A machine that does much else takes long, and a page that is right costs nothing of it.
PATIENCE = 30.0


def comes_to(look: Callable[[], Seen], expected: Seen) -> None:
    """Look until what is seen is as expected; what is seen last has to be."""
    end = time.monotonic() + PATIENCE
    while (seen := look()) != expected and time.monotonic() < end:
        time.sleep(0.02)
    assert seen == expected


@overload
def expect(seen: Page) -> PageAssertions: ...
@overload
def expect(seen: Locator) -> LocatorAssertions: ...
def expect(seen: Any) -> Any:
    """Playwright's own, imported late: without the dev extra tests in a browser are skipped, not broken."""
    from playwright.sync_api import expect as assertions

    return assertions(seen)
