import gc

import pytest

from sigscope.garbage import MANY, USUAL, seldom_collected


def test_after_an_error_too_python_collects_as_before():
    with pytest.raises(KeyError), seldom_collected():
        assert gc.get_threshold()[0] == MANY
        raise KeyError
    assert gc.get_threshold() == USUAL
