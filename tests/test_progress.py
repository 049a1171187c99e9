"""How far something has got is drawn on stderr, told to a function, or kept quiet."""

import pytest

from sigscope.progress import progress_bar


def go(progress, done=0):
    with progress_bar(5, "Counting", " sheep", progress, done=done, mininterval=0) as bar:
        for _ in range(5 - done):
            bar.update()


def test_a_bar_is_drawn_on_stderr(capsys):
    go(True)
    out, err = capsys.readouterr()
    assert not out and "Counting" in err and "5/5" in err and "sheep" in err


def test_no_bar_is_drawn_unless_asked(capsys):
    go(False)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("done", [0, 2])
def test_a_function_is_told_instead_from_what_is_done_to_the_end(done, capsys):
    told = []
    go(lambda *how_far: told.append(how_far), done)
    assert told[0] == (done, 5) and told[-1] == (5, 5)
    assert told == sorted(told) and capsys.readouterr() == ("", "")
