import pandas as pd
import pytest

from sigscope.search.side_by_side import missed, shared_results


def ranked(*ids: str) -> pd.DataFrame:
    return pd.DataFrame({"rank": range(1, len(ids) + 1), "id": ids})


def test_shared_results_are_those_of_two_lists_numbered_by_their_best_rank():
    shared = shared_results([ranked("a", "b", "c"), ranked("c", "d", "b")])
    assert {id: one.number for id, one in shared.items()} == {"c": 1, "b": 2}


def test_shared_results_say_in_how_many_lists_they_are():
    shared = shared_results([ranked("a", "b"), ranked("b", "a"), ranked("b", "x")])
    assert (shared["b"].lists, shared["a"].lists) == (3, 2)


def test_lists_with_nothing_in_common_share_nothing():
    assert shared_results([ranked("a"), ranked("b")]) == {}


def test_missed_are_the_exact_results_that_are_not_found_with_their_ranks():
    lost = missed(ranked("b", "x"), ranked("a", "b", "c"))
    assert lost.to_dict("list") == {"rank": [1, 3], "id": ["a", "c"]}


@pytest.mark.parametrize("found", [("a", "b"), ("b", "a"), ("b", "a", "c")])
def test_nothing_is_missed_where_all_are_found_in_any_order(found):
    assert missed(ranked(*found), ranked("a", "b")).empty
