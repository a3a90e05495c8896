"""Made-up requests are sentences that differ, of every label as many."""

from collections import Counter

from workers.training.text_simulation import make_requests


def test_each_label_has_as_many_different_requests() -> None:
    requests = make_requests(per_label=40)
    counts = Counter(request.label for request in requests)

    assert set(counts.values()) == {40}
    assert len(counts) == 12
    assert len({request.text for request in requests}) == len(requests)


def test_nothing_of_the_patterns_is_left() -> None:
    for request in make_requests():
        assert not set("{}|") & set(request.text)
        assert "  " not in request.text
        assert request.text[0].isupper()
        assert request.text[-1] in ".?!"


def test_the_seed_decides() -> None:
    assert make_requests(per_label=9, seed=1) == make_requests(per_label=9, seed=1)
    assert make_requests(per_label=9, seed=1) != make_requests(per_label=9, seed=2)
