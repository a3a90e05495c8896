"""Before a soak there is haste: more callers than in it, without a pause, and with payments of their own."""

from itertools import islice

import pytest

from tests.load.soak import HURRY_TIMES, hurried
from tests.load.soak_asks import ASKINGS, Asking
from tests.load.soak_streams import STREAMINGS, Streaming


@pytest.mark.parametrize("asking", ASKINGS, ids=lambda asking: asking.name)
def test_haste_is_more_of_the_same_without_a_pause(asking: Asking) -> None:
    haste = hurried(asking)

    assert (haste.name, haste.callers, 1 / haste.rate) == (asking.name, HURRY_TIMES * asking.callers, 0.0)
    assert next(haste.questions(0)).path == next(asking.questions(0)).path


@pytest.mark.parametrize("streaming", STREAMINGS, ids=lambda streaming: streaming.name)
def test_sockets_haste_too(streaming: Streaming) -> None:
    haste = hurried(streaming)

    assert (haste.path, haste.sockets, 1 / haste.rate) == (streaming.path, HURRY_TIMES * streaming.sockets, 0.0)


def test_nobody_meets_the_payments_of_the_hasty() -> None:
    [asking] = [one for one in ASKINGS if one.name.startswith("payments")]
    [streaming] = [one for one in STREAMINGS if one.name.startswith("payments")]
    asked = [{question.content for question in islice(one.questions(0), 50)} for one in (asking, hurried(asking))]
    sent = [{work["event_id"] for work in islice(one.works(0), 50)} for one in (streaming, hurried(streaming))]

    assert asked[0].isdisjoint(asked[1])
    assert sent[0].isdisjoint(sent[1])
