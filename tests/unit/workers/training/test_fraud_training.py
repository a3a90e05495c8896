"""The training: it learns what only an account's past tells, keeps the best epoch, and looks at nothing later."""

import numpy as np
import torch

from workers.training.computing import alone
from workers.training.fraud_features import COLUMNS
from workers.training.fraud_training import Lesson, Schedule, score_all, train_net

SCHEDULE = Schedule(epochs=12, accounts=4, most_payments=30)


def ignore(line: str) -> None:
    del line


def make_lesson(*, seed: int = 0) -> Lesson:
    """Return payments that are fraud where the one before of the same account had a high first feature."""
    rng = np.random.default_rng(seed)
    accounts = rng.integers(0, 25, 1500)
    features = rng.standard_normal((len(accounts), len(COLUMNS))).astype(np.float32)
    is_fraud = np.zeros(len(accounts), np.bool_)
    for account in range(25):
        rows = np.flatnonzero(accounts == account)
        is_fraud[rows[1:]] = features[rows[:-1], 0] > 1
    return Lesson(
        features=torch.from_numpy(features),
        is_fraud=is_fraud,
        accounts=accounts,
        training=slice(0, 1100),
        validation=slice(1100, 1300),
    )


def test_it_learns_what_only_the_past_tells() -> None:
    lesson = make_lesson()
    with alone(0):
        net = train_net(lesson, SCHEDULE, ignore)
    logits = score_all(net, lesson.features, lesson.accounts, SCHEDULE)[1300:]
    is_fraud = lesson.is_fraud[1300:]

    assert np.median(logits[is_fraud]) > np.quantile(logits[~is_fraud], 0.9)


def test_the_same_seed_learns_the_same_and_later_labels_teach_nothing() -> None:
    lesson, other = make_lesson(), make_lesson()
    other.is_fraud[1300:] = ~other.is_fraud[1300:]
    nets = []
    for each in (lesson, other):
        with alone(1):
            nets.append(train_net(each, Schedule(epochs=1, accounts=16), ignore).state_dict())

    assert all(torch.equal(weight, nets[1][name]) for name, weight in nets[0].items())


def test_scores_stand_where_their_payments_do() -> None:
    lesson = make_lesson()
    with alone(2):
        net = train_net(lesson, Schedule(epochs=1, accounts=16), ignore)
    logits = score_all(net, lesson.features, lesson.accounts, SCHEDULE)
    rows = np.flatnonzero(lesson.accounts == 7)
    with torch.inference_mode():
        wanted = net(lesson.features[rows].unsqueeze(0))[0].numpy()

    np.testing.assert_allclose(logits[rows], wanted, atol=1e-5)
