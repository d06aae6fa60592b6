"""Who leads, by numbers worked out by hand."""

import pytest

from tf_inpaint.evaluation.ranking import rank, sentences

# Two bins: the first image is nearly all hole, the others hardly.
ROWS = [
    {"hole_share": share, "values": {name: {"m": value} for name, value in zip("abc", values)}}
    for share, values in ((0.95, (1.0, 1.5, 4.0)), (0.05, (2.0, 1.0, 5.0)), (0.05, (3.0, 3.5, 6.5)))
]


def _results(better):
    def method(name):
        values = [row["values"][name]["m"] for row in ROWS]
        means = (sum(values[1:]) / 2, values[0])
        bins = ((0.0, 0.1, 2), (0.9, 1.0, 1))
        by_ratio = [
            {"above": low, "up_to": high, "count": count, "mean": {"m": mean}}
            for (low, high, count), mean in zip(bins, means)
        ]
        return {"name": name, "results": {"m": {"mean": sum(values) / 3}}, "by_hole_share": by_ratio}

    results = {"metrics": {"m": {"better": better, "digits": 2}}, "methods": [*map(method, "abc")]}
    results["pictures"] = {"count": 3}
    results["ranking"] = rank(results, lambda: iter(ROWS), "m")
    return results


def test_differences_are_paired():
    ranking = _results("lower")["ranking"]
    assert [place["method"] for place in ranking["all"]] == ["a", "b", "c"]  # a and b are equal on average
    first, second, third = ranking["all"]
    assert first["behind"] == first["standard_error"] == second["behind"] == 0.0
    assert second["within_error"] and not third["within_error"]
    # c is behind a by 3, 3 and 3.5: mean 19 / 6, deviation sqrt(1 / 12), error that over sqrt(3)
    assert third["behind"] == pytest.approx(19 / 6) and third["standard_error"] == pytest.approx(1 / 6)
    assert [place["method"] for place in ranking["by_hole_share"][0]] == ["b", "a", "c"]  # 2.25, 2.5, 5.75


def test_more_may_be_better():
    ranking = _results("higher")["ranking"]
    assert [place["rank"] for place in ranking["all"]] == [1, 2, 3] and ranking["all"][0]["method"] == "c"
    assert ranking["all"][1]["behind"] == pytest.approx(19 / 6)


def test_sentences():
    assert sentences(_results("lower")) == [
        "Over all 3 pictures a is best in m (2.00), but within the standard error of b (0.00 ± 0.50); "
        "c is behind by 3.17 ± 0.17.",
        "Holes of 0-10 %: b is best in m (2.25), but within the standard error of a (0.25 ± 0.75); "
        "c is behind by 3.50 ± 0.50.",
        "Holes of 90-100 %: a is best in m (1.00), but within the standard error of b (0.50 ± 0.00), c (3.00 ± 0.00).",
    ]
