"""What tests of the explorer share: its modules, a served explorer, and a page of it."""

import sys

import pytest
from browsing import PATIENCE_S, browser, in_front, is_ready, wait_for

from sigscope import paths
from sigscope.cli import launch


@pytest.fixture(scope="module", autouse=True)
def _importable():
    sys.path.insert(0, str(paths.EXPLORER))
    yield
    sys.path.remove(str(paths.EXPLORER))


@pytest.fixture(scope="session", autouse=True)
def tags(tmp_path_factory):
    """The file of tags, which no test finds or leaves in the cache."""
    with pytest.MonkeyPatch.context() as patch:
        path = tmp_path_factory.mktemp("tags") / "tags.sqlite"
        patch.setenv("SIGSCOPE_TAGS", str(path))
        yield path


@pytest.fixture(scope="session")
def ratings(tmp_path_factory):
    """The file of ratings, likewise."""
    with pytest.MonkeyPatch.context() as patch:
        path = tmp_path_factory.mktemp("ratings") / "ratings.sqlite"
        patch.setenv("SIGSCOPE_RATINGS", str(path))
        yield path


@pytest.fixture(scope="session")
def port(tags, ratings):
    port = launch.free_port()
    with launch.explorer(port) as process:
        launch.wait(process, port, PATIENCE_S)
        yield port


@pytest.fixture(scope="module")
def driver():
    with browser() as driver:
        yield driver


@pytest.fixture
def page(driver, port):
    """A tab with a history of its own, at the explorer's first page."""
    first = driver.current_window_handle
    driver.switch_to.new_window("tab")
    in_front(driver)
    driver.get(launch.url(port))
    wait_for(driver, lambda: is_ready(driver))
    yield driver
    for tab in set(driver.window_handles) - {first}:
        driver.switch_to.window(tab)
        driver.close()
    driver.switch_to.window(first)
