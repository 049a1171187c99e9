"""From ratings to scores and agreement: published figures, hand-worked cases, slow twins."""

import itertools
from io import StringIO
from urllib.parse import quote

import ir_measures
import numpy as np
import pandas as pd
import pytest
from toy_ratings import queries, rankings, ratings

from sigscope.ratings.agreement import alpha_interval, krippendorff_alpha
from sigscope.ratings.pools import Pool
from sigscope.ratings.scores import (
    R1_MAP,
    R1_TABLE_2,
    agreement_between_raters,
    beside_r1,
    consensus,
    csv_text,
    mean_scores,
    qrels_text,
    read_qrels,
    score_lists,
)
from sigscope.ratings.simulated import Habits, simulate, true_grades
from sigscope.ratings.store import RatingsError, RatingStore

_ = np.nan
KRIPPENDORFF = np.array(  # Krippendorff 2011, section C: four observers, twelve units
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, _, _, _],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, _, 3],
        [_, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, _],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, _],
    ]
)


def of(table: pd.DataFrame, system: str, query: str = "q") -> pd.Series:
    return table[(table["system"] == system) & (table["query"] == query)].iloc[0]


@pytest.mark.parametrize(
    "level, alpha", [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)]
)
def test_alpha_of_krippendorffs_own_example(level, alpha):
    assert krippendorff_alpha(KRIPPENDORFF, level) == pytest.approx(alpha, abs=0.0005)


def test_alpha_of_krippendorffs_binary_example():
    meg = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0]  # section A: 2 observers, 10 units
    owen = [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]
    for level in ("nominal", "ordinal", "interval"):
        assert krippendorff_alpha([meg, owen], level) == pytest.approx(0.095, abs=0.0005)


def test_alpha_worked_by_hand():
    # Units (0, 0) and (0, 1): of 2 pairs each way 1 disagrees. Values: three 0 and one 1, so of
    # the 4 * 3 ordered pairs 6 differ. Observed 2 / 4, expected 6 / 12: alpha = 1 - 0.5 / 0.5 = 0.
    assert krippendorff_alpha([[0, 0], [0, 1]]) == pytest.approx(0)


def test_alpha_is_one_where_all_agree_and_below_zero_where_none_do():
    assert krippendorff_alpha([[0, 1, 2], [0, 1, 2]], "ordinal") == 1
    assert krippendorff_alpha([[0, 1], [1, 0]]) == pytest.approx(-0.5)  # 1 - 1 / (8 / 12)


@pytest.mark.parametrize("grades", [[[1, 1], [1, 1]], [[0, 1, 2]], [[0, _], [_, 1]], [[_, _]]])
def test_alpha_is_undefined_where_nothing_can_differ(grades):
    assert np.isnan(krippendorff_alpha(grades))


@pytest.mark.parametrize("level", ["nominal", "ordinal", "interval"])
def test_alpha_agrees_with_counting_pairs_one_by_one(level):
    rng = np.random.default_rng(0)
    for _round in range(20):
        grades = rng.integers(0, 4, size=(4, 9)).astype(float)
        grades[rng.random(grades.shape) < 0.3] = np.nan
        assert krippendorff_alpha(grades, level) == pytest.approx(slow_alpha(grades, level))


def slow_alpha(grades, level) -> float:
    """Return alpha from every pair of grades, within units and among all of them."""
    units = [unit[~np.isnan(unit)] for unit in grades.T]
    units = [unit for unit in units if len(unit) > 1]
    values = np.concatenate(units)

    def apart(a, b):
        if level == "nominal":
            return float(a != b)
        if level == "interval":
            return (a - b) ** 2
        low, high = min(a, b), max(a, b)
        between = sum((values >= low) & (values <= high))
        return (between - (sum(values == low) + sum(values == high)) / 2) ** 2 * (a != b)

    within = sum(
        apart(a, b) / (len(unit) - 1) for unit in units for a, b in itertools.permutations(unit, 2)
    )
    among = sum(apart(a, b) for a, b in itertools.permutations(values, 2))
    return 1 - (within / len(values)) / (among / (len(values) * (len(values) - 1)))


def test_unknown_level_is_refused():
    with pytest.raises(ValueError, match="nominal, ordinal, interval"):
        krippendorff_alpha(KRIPPENDORFF, "ratio")


def test_alphas_interval_is_that_of_resampled_units():
    times = np.random.default_rng(0).multinomial(12, np.full(12, 1 / 12), size=200)
    alphas = [krippendorff_alpha(np.repeat(KRIPPENDORFF, each, axis=1)) for each in times]
    rng = np.random.default_rng(0)
    ends = alpha_interval(KRIPPENDORFF, "nominal", np.arange(12), rng, draws=200)
    assert ends == pytest.approx(tuple(np.nanquantile(alphas, [0.025, 0.975])))
    assert ends[0] < 0.743 < ends[1]


def test_alphas_interval_is_wider_when_units_hang_together():
    grades = np.repeat(KRIPPENDORFF[:, :9], 8, axis=1)
    rng = np.random.default_rng(0)
    loose = alpha_interval(grades, "nominal", np.arange(72), rng, draws=500)
    tied = alpha_interval(grades, "nominal", np.repeat(np.arange(9), 8), rng, draws=500)
    assert tied[1] - tied[0] > 2 * (loose[1] - loose[0])


def test_agreement_counts_raters_and_pictures_with_two_grades():
    given = ratings("ab q1 x=2 y=0", "cd q1 x=2 y=1 z=1", "cd q2 x=0", "ab q2 x=0")
    found = agreement_between_raters(given, np.random.default_rng(0), level="ordinal")
    assert (found.raters, found.pictures, found.level) == (2, 3, "ordinal")
    assert found.alpha == krippendorff_alpha([[2, 0, 0], [2, 1, 0]], "ordinal")
    assert found.low <= found.alpha <= found.high


def test_r1_prints_the_mean_of_two_precisions_as_average_precision():
    both = (R1_TABLE_2["P@3"] + R1_TABLE_2["P@5"]) / 2
    assert (both - R1_TABLE_2["AP as R1"]).abs().max() <= 0.0051, "rounding is 0.005"
    assert both.mean() == pytest.approx(R1_MAP)


def test_scores_worked_by_hand():
    lists = rankings(one={"q": "a b c d e"}, two={"q": "f a g"})
    given = ratings("x q a=1 b=0 c=1 d=0 e=0 f=0 g=0", "y q a=1 b=1 c=1 d=0 e=0 f=1 g=0")
    table = score_lists(given, lists)
    one, two = of(table, "one"), of(table, "two")
    assert one["P@3"] == pytest.approx((2 / 3 + 3 / 3) / 2)
    assert one["P@5"] == pytest.approx((2 / 5 + 3 / 5) / 2)
    assert one["AP as R1"] == pytest.approx((5 / 6 + 1 / 2) / 2)
    assert (two["P@3"], two["P@5"]) == (pytest.approx((1 / 3 + 2 / 3) / 2), pytest.approx(0.3))
    # by consensus (an even vote is a no) a and c are relevant
    assert one["AP@5"] == pytest.approx((1 / 1 + 2 / 3) / 2)
    assert two["AP@5"] == pytest.approx((1 / 2) / 2)
    assert one["NDCG@5"] == pytest.approx((1 + 1 / 2) / (1 + 1 / np.log2(3)))


def test_ndcg_knows_how_relevant_a_picture_is():
    table = score_lists(ratings("x q a=1 b=2"), rankings(one={"q": "a b"}, two={"q": "b a"}))
    assert of(table, "one")["NDCG@2"] == pytest.approx((1 + 3 / np.log2(3)) / (3 + 1 / np.log2(3)))
    assert of(table, "two")["NDCG@2"] == 1


def test_only_full_relevance_counts_when_asked():
    table = score_lists(
        ratings("x q a=1 b=2"), rankings(one={"q": "a b"}), relevant_from=2, ks=(1, 2)
    )
    assert of(table, "one")[["P@1", "P@2"]].tolist() == [0, 0.5]


def test_rater_who_has_not_seen_all_of_a_list_does_not_count_for_it():
    lists = rankings(one={"q": "a b c d e"})
    table = score_lists(ratings("x q a=1 b=1 c=1 d=1 e=1", "y q a=0 b=0 c=0"), lists)
    row = of(table, "one")
    assert (row["P@3"], row["P@5"], row["raters"], row["judged"]) == (0.5, 1, 1, 1)


def test_what_nobody_has_judged_has_no_score():
    table = score_lists(
        ratings("x q a=1 b=1"), rankings(one={"q": "a b c d"}, two={"q": "e f g h"})
    )
    assert np.isnan(of(table, "one")["P@3"]) and of(table, "one")["judged"] == 0.5
    assert of(table, "two")["judged"] == 0


def test_query_without_anything_relevant_has_precision_zero_and_no_ap():
    row = of(score_lists(ratings("x q a=0 b=0 c=0"), rankings(one={"q": "a b c"})), "one")
    assert (row["P@3"], row["P@5"]) == (0, 0) and np.isnan(row["AP@3"]) and np.isnan(row["NDCG@3"])


def test_system_that_finds_nothing_for_a_query_has_precision_zero():
    lists = rankings(one={"q": "a b c", "p": "a"}, two={"p": "a"})
    table = score_lists(ratings("x q a=1 b=1 c=1", "x p a=1"), lists)
    assert of(table, "two")["P@3"] == 0 and of(table, "two", "p")["P@3"] == pytest.approx(1 / 3)


def test_summary_means_over_queries_that_have_a_value():
    lists = rankings(one={"q": "a b c", "p": "d e f"})
    table = score_lists(ratings("x q a=1 b=1 c=1", "x p d=0 e=0 f=0"), lists)
    found = mean_scores(table, np.random.default_rng(0)).set_index("measure")
    assert found.loc["P@3", ["value", "queries"]].tolist() == [0.5, 2]
    assert found.loc["P@3", ["low", "high"]].tolist() == [0, 1]
    assert found.loc["AP@3", ["value", "queries"]].tolist() == [1, 1]


def test_r1s_table_has_ours_beside_it():
    table = score_lists(
        ratings("x r1-01 a=1 b=0 c=0 d=0 e=1"), rankings(one={"r1-01": "a b c d e"})
    )
    both = beside_r1(table, "one")
    assert both["query"].tolist() == [*R1_TABLE_2["query"], "mean"]
    assert both.loc[0, ["P@3, report", "P@3, here"]].tolist() == [0.33, pytest.approx(1 / 3)]
    assert both.loc[10, "AP as R1, report"] == R1_MAP
    assert both.loc[10, "P@5, here"] == pytest.approx(0.4)


def test_consensus_is_the_lower_median():
    given = ratings("x q a=2 b=0 c=2", "y q a=1 b=2 c=2", "z q b=2 c=0")
    expected = [["q", "a", 1, 2], ["q", "b", 2, 3], ["q", "c", 2, 3]]
    assert consensus(given).to_numpy().tolist() == expected


def test_real_and_simulated_ratings_are_not_scored_together():
    mixed = pd.concat([ratings("x q a=1"), ratings("simulated-1 q a=1", kind="simulated")])
    with pytest.raises(ValueError, match="real and simulated"):
        score_lists(mixed, rankings(one={"q": "a"}))
    two = pd.concat([ratings("x q a=1"), ratings("x q a=1", session="t")])
    with pytest.raises(ValueError, match="several sessions"):
        agreement_between_raters(two, np.random.default_rng(0))
    with pytest.raises(ValueError, match="no ratings yet"):
        qrels_text(ratings())


def test_csv_has_every_grade_under_a_heading_and_quotes_what_must_be():
    given = ratings("na q none.png=1", "001 q a,b.png=0").assign(text='say "NA",\nplease')
    read = pd.read_csv(StringIO(csv_text(given)), dtype=str, keep_default_na=False)
    pd.testing.assert_frame_equal(read.astype({"grade": "int64"}), given)


def test_qrels_have_trecs_four_columns_and_come_back(tmp_path):
    given = ratings("x q b.png=2", "x q a/my_cat.png=0").replace("a/my_cat.png", "a/my cat.png")
    path = tmp_path / "qrels.txt"
    path.write_text(qrels_text(given))
    assert path.read_text() == "q 0 a/my%20cat.png 0\nq 0 b.png 2\n"
    pd.testing.assert_frame_equal(read_qrels(path), consensus(given)[["query", "id", "grade"]])
    path.write_text("q 0 a\n")
    with pytest.raises(ValueError, match="line 1"):
        read_qrels(path)


def test_ir_measures_reads_our_qrels_and_scores_the_lists_alike(tmp_path):
    lists = rankings(one={"q": "a b c d e", "p": "f_1 g h"}, two={"q": "x b y a z", "p": "g f_1"})
    lists["id"] = lists["id"].str.replace("_", " ")
    given = ratings("r q a=2 b=0 c=1 d=0 e=0 x=1 y=0 z=2", "r p f_1=2 g=0 h=1")
    given["id"] = given["id"].str.replace("_", " ")
    path = tmp_path / "qrels.txt"
    path.write_text(qrels_text(given))
    qrels = list(ir_measures.read_trec_qrels(str(path)))
    table = score_lists(given, lists).set_index(["system", "query"])
    for system, found in lists.groupby("system"):
        rows = found[["query", "id", "rank"]].itertuples(index=False)
        run = [ir_measures.ScoredDoc(q, quote(id), -float(rank)) for q, id, rank in rows]
        for theirs, ours in (("AP@5", "AP@5"), ("P@3", "P@3")):
            for one in ir_measures.iter_calc([ir_measures.parse_measure(theirs)], qrels, run):
                assert one.value == pytest.approx(table.loc[(system, one.query_id), ours])


@pytest.fixture
def pool():
    names = [f"q{i:02}" for i in range(200)]
    good, poor = ({n: " ".join(f"{s}{n}-{i}" for i in range(5)) for n in names} for s in "gp")
    return Pool(queries(*names), rankings(good=good, poor=poor))


def simulated(pool, tmp_path, habits) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    store = RatingStore(tmp_path / "simulated.sqlite", simulated=True)
    session = store.begin(pool.queries, pool.rankings)
    simulate(store, session, true_grades(pool, {"good": 0.7, "poor": 0.2}, rng), rng, habits)
    return store.ratings(session)


def test_scores_of_simulated_raters_recover_what_was_put_in(pool, tmp_path):
    given = simulated(pool, tmp_path, Habits(slip=0, skip=0))
    assert set(given["kind"]) == {"simulated"}
    assert set(given["rater"]) == {"simulated-1", "simulated-2", "simulated-3"}
    table = score_lists(given, pool.rankings).groupby("system")["P@5"].mean()
    assert table.to_dict() == pytest.approx({"good": 0.7, "poor": 0.2}, abs=0.05)
    assert agreement_between_raters(given, np.random.default_rng(0), draws=50).alpha == 1


def test_careless_simulated_raters_agree_less_and_skip(pool, tmp_path):
    given = simulated(pool, tmp_path, Habits(raters=2, slip=0.3, skip=0.1))
    assert len(given) == pytest.approx(0.9 * 2 * 2000, rel=0.05)
    assert 0.2 < agreement_between_raters(given, np.random.default_rng(0), draws=50).alpha < 0.9


def test_simulation_cannot_write_to_a_store_of_real_ratings(pool, tmp_path):
    store = RatingStore(tmp_path / "ratings.sqlite")
    session = store.begin(pool.queries, pool.rankings)
    rng = np.random.default_rng(0)
    with pytest.raises(RatingsError, match="simulated raters"):
        simulate(store, session, true_grades(pool, {"good": 1, "poor": 0}, rng), rng)
    assert store.ratings(session).empty


def test_every_system_needs_a_quality(pool):
    with pytest.raises(ValueError, match="poor"):
        true_grades(pool, {"good": 0.7}, np.random.default_rng(0))
