"""The demo model `fraud`: how likely a payment is fraud, beside what its account did before."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor

from app.scenarios.fraud_answers import SCORE_DIGITS
from app.scenarios.fraud_risk import MerchantRisk, encode_risk
from model_store.manifest import Caching, Manifest, Scoring, StateSpec, TensorSpec
from model_store.publisher import VersionDraft
from model_store.signature import Sample, encode_samples, from_array
from workers.training.computing import alone
from workers.training.fraud_deciding import Decisions, Thresholds
from workers.training.fraud_evaluation import Comparison, stateless_scores
from workers.training.fraud_features import COLUMNS, Matrix, Split, featurize, fit_risk, risk_column
from workers.training.fraud_files import read_payments
from workers.training.fraud_model import GROUPS, MEMORY, FraudScorer, Scaling
from workers.training.fraud_payments import Numbers, Payments
from workers.training.fraud_simulation import World, simulate
from workers.training.fraud_training import Lesson, Schedule, score_all, train_net
from workers.training.progress import Report

MAX_BATCH = 128
RISK_FILE = "merchant_risk.json"

_SAMPLES = 3


@dataclass(frozen=True, kw_only=True)
class _Fitted:
    """What came of the training: the model, what it knows of merchants, how good it is, and from which score on."""

    scorer: FraudScorer
    risk: MerchantRisk
    metrics: dict[str, float]
    thresholds: Thresholds
    told: list[str]
    """How good it is, in words."""
    usual: Tensor
    """Some payments of the test slice [N, features], to try the model with."""


def train_fraud(
    work_dir: Path,
    *,
    report: Report,
    transactions: Path | None = None,
    seed: int = 0,
    world: World | None = None,
    schedule: Schedule | None = None,
) -> VersionDraft:
    """Learn from earlier payments, measure on later ones, and script; all files are written to `work_dir`.

    `transactions` is a file or a folder with several; without it a `world` is simulated. The same seed gives the same
    model on the same machine.

    :raises InputError: when the payments cannot be read, or are too few to be learned from.
    """
    report("fraud: simulating payments" if transactions is None else f"fraud: reading {transactions}")
    payments = simulate(world or World(), seed=seed) if transactions is None else read_payments(transactions)
    report(
        f"fraud: {len(payments)} payments of {len(payments.account_ids)} accounts, {payments.is_fraud.mean():.2%} fraud"
    )
    split = Split.of(payments)
    with alone(seed), threadpool_limits(1):
        fitted = _fit(payments, split, schedule or Schedule(), report)
        samples = _samples(fitted)
    for line in fitted.told:
        report(f"fraud: {line}")
    artifact = work_dir / "model.pt"
    torch.jit.script(fitted.scorer).save(str(artifact))  # type: ignore[no-untyped-call]
    (work_dir / RISK_FILE).write_bytes(encode_risk(fitted.risk))
    return VersionDraft(
        name="fraud",
        version=None,
        manifest=_manifest(fitted, payments, "simulated" if transactions is None else "given"),
        artifact=artifact,
        samples=samples,
        assets={RISK_FILE: work_dir / RISK_FILE},
    )


def _fit(payments: Payments, split: Split, schedule: Schedule, report: Report) -> _Fitted:
    rows = split.slices(payments)
    training, validation, test = rows["training"], rows["validation"], rows["test"]
    report("fraud: computing features")
    features = torch.from_numpy(np.hstack([featurize(payments), risk_column(payments, split)]))
    scaling = Scaling(features[training])
    scaled = scaling(features)
    lesson = Lesson(
        features=scaled,
        is_fraud=payments.is_fraud,
        accounts=payments.accounts,
        training=training,
        validation=validation,
    )
    net = train_net(lesson, schedule, report)
    scores = _probabilities(score_all(net, scaled, payments.accounts, schedule))
    later = payments.taken(test)
    alone_scores = stateless_scores(scaled.numpy(), payments.is_fraud, slice(training.start, validation.stop), test)
    comparison = Comparison.of(later, scores[test], alone_scores)
    served = scores.round(SCORE_DIGITS)
    thresholds = Thresholds.of(payments.is_fraud[validation], served[validation])
    decisions = Decisions.of(thresholds, later.is_fraud, served[test])
    counts = {"test_payments": float(len(later)), "test_frauds": float(later.is_fraud.sum())}
    return _Fitted(
        scorer=FraudScorer(scaling, net).eval(),
        risk=fit_risk(payments, split.delay_ms),
        metrics=comparison.metrics() | decisions.metrics() | counts,
        thresholds=thresholds,
        told=[*comparison.told(), *decisions.told(thresholds)],
        usual=features[test][:_SAMPLES],
    )


def _probabilities(logits: Matrix) -> Numbers:
    probabilities: Numbers = 1 / (1 + np.exp(-logits.astype(np.float64)))
    return probabilities


def _manifest(fitted: _Fitted, payments: Payments, source: str) -> Manifest:
    return Manifest(
        task="sequence-scoring",
        inputs=[
            TensorSpec(name="event", datatype="FP32", shape=[-1, len(COLUMNS)]),
            TensorSpec(name="memory", datatype="FP32", shape=[-1, MEMORY]),
        ],
        outputs=[
            TensorSpec(name="score", datatype="FP32", shape=[-1]),
            TensorSpec(name="effects", datatype="FP32", shape=[-1, len(GROUPS)]),
            TensorSpec(name="memory_after", datatype="FP32", shape=[-1, MEMORY]),
        ],
        max_batch_size=MAX_BATCH,
        state=[StateSpec(input="memory", output="memory_after", shape=[MEMORY])],
        scoring=Scoring(
            features=list(COLUMNS),
            reasons=list(GROUPS),
            merchant_risk=RISK_FILE,
            review_at=fitted.thresholds.review_at,
            decline_at=fitted.thresholds.decline_at,
        ),
        cache=Caching(enabled=False),
        description=f"How likely a payment is fraud, beside its account's past. Trained on {len(payments)} {source} "
        f"payments of {len(payments.account_ids)} accounts.",
        metrics=fitted.metrics,
    )


def _samples(fitted: _Fitted) -> bytes:
    """Return the scores of some payments, one after the other as if they were of one account."""
    memory = torch.zeros(1, MEMORY)
    samples = []
    for event in fitted.usual.unsqueeze(1):
        with torch.inference_mode():
            score, effects, after = fitted.scorer(event, memory)
        samples.append(
            Sample(
                inputs=[from_array("event", "FP32", event.numpy()), from_array("memory", "FP32", memory.numpy())],
                outputs=[
                    from_array("score", "FP32", score.numpy()),
                    from_array("effects", "FP32", effects.numpy()),
                    from_array("memory_after", "FP32", after.numpy()),
                ],
            )
        )
        memory = after
    return encode_samples(samples)
