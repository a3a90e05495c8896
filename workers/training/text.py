"""The demo model `text`: what a text is about, told while it is still coming in."""

from pathlib import Path

import torch

from model_store.manifest import Manifest, StateSpec, TensorSpec
from model_store.publisher import VersionDraft
from model_store.signature import Sample, encode_samples, from_array
from workers.training.computing import alone
from workers.training.progress import Report
from workers.training.text_data import TextSet, classes
from workers.training.text_evaluation import Quality, most_frequent, naive_bayes, predict_by
from workers.training.text_files import read_text_set
from workers.training.text_model import TextClassifier, beginning
from workers.training.text_simulation import make_requests
from workers.training.text_training import Schedule, tokenize, train_classifier

MAX_BATCH = 64

# What made-up requests need.
_SMALL = Schedule(buckets=2**14, columns=32, epochs=6)
_SAMPLE_TEXTS = 2


def train_text(
    work_dir: Path, *, report: Report, csv: Path | None = None, seed: int = 0, schedule: Schedule | None = None
) -> VersionDraft:
    """Train, evaluate and script the classifier; the artifact is written to `work_dir`.

    `csv` is a file of labelled texts, or a folder with `train.csv` and `test.csv`; without it requests are made up. The
    same seed gives the same model on the same machine.

    :raises InputError: when the texts cannot be read, or are too few to be learned from.
    """
    report("text: making up requests" if csv is None else f"text: reading {csv}")
    texts = TextSet.cut(make_requests(seed=seed), seed=seed) if csv is None else read_text_set(csv, seed=seed)
    names = texts.names
    report(f"text: {len(texts.training)} texts of {len(names)} labels, {len(texts.held_out)} held out")
    with alone(seed):
        classifier = train_classifier(
            [text.text for text in texts.training],
            classes(texts.training, names),
            schedule or (_SMALL if csv is None else Schedule()),
            count=len(names),
            report=report,
        )
        metrics = evaluate(classifier, texts)
        samples = _samples(classifier, texts)
    report(
        f"text: {metrics['accuracy']:.1%} of held-out texts, naive Bayes {metrics['naive_bayes_accuracy']:.1%}, "
        f"most frequent label {metrics['most_frequent_accuracy']:.1%}"
    )
    artifact = work_dir / "model.pt"
    torch.jit.script(classifier).save(str(artifact))  # type: ignore[no-untyped-call]
    source = "made-up requests to a shop's help desk, which are easier than real ones" if csv is None else "given texts"
    manifest = _manifest(classifier, texts, metrics, source)
    return VersionDraft(name="text", version=None, manifest=manifest, artifact=artifact, samples=samples)


def evaluate(classifier: TextClassifier, texts: TextSet) -> dict[str, float]:
    """Return the figures on held-out texts, beside those of what has to be beaten."""
    predictions = {
        "": predict_by(classifier, texts.names),
        "naive_bayes_": naive_bayes(texts),
        "most_frequent_": most_frequent(texts),
    }
    metrics: dict[str, float] = {}
    for name, predict in predictions.items():
        quality = Quality.of(predict, texts.held_out)
        metrics |= {f"{name}accuracy": quality.accuracy, f"{name}macro_f1": quality.macro_f1}
    return {
        **metrics,
        "training_texts": float(len(texts.training)),
        "held_out_texts": float(len(texts.held_out)),
    }


def _manifest(classifier: TextClassifier, texts: TextSet, metrics: dict[str, float], source: str) -> Manifest:
    tail, sums = ([*part.shape[1:]] for part in beginning(classifier, 1))
    return Manifest(
        task="text-classification",
        inputs=[
            TensorSpec(name="tokens", datatype="INT16", shape=[-1, -1]),
            TensorSpec(name="tail", datatype="UINT8", shape=[-1, *tail]),
            TensorSpec(name="sums", datatype="INT64", shape=[-1, *sums]),
        ],
        outputs=[
            TensorSpec(name="logits", datatype="FP32", shape=[-1, len(texts.names)]),
            TensorSpec(name="tail_after", datatype="UINT8", shape=[-1, *tail]),
            TensorSpec(name="sums_after", datatype="INT64", shape=[-1, *sums]),
        ],
        max_batch_size=MAX_BATCH,
        labels=texts.names,
        state=[
            StateSpec(input="tail", output="tail_after", shape=tail),
            StateSpec(input="sums", output="sums_after", shape=sums),
        ],
        description=f"What a text is about, by the n-grams of its bytes, while it comes in. Trained on "
        f"{len(texts.training)} {source}, of {len(texts.names)} labels.",
        metrics=metrics,
    )


def _samples(classifier: TextClassifier, texts: TextSet) -> bytes:
    """Return the scores and the state of two held-out texts."""
    tokens = tokenize([text.text for text in texts.held_out[:_SAMPLE_TEXTS]])
    tail, sums = beginning(classifier, len(tokens))
    with torch.inference_mode():
        logits, tail_after, sums_after = classifier(tokens, tail, sums)
    inputs = [
        from_array("tokens", "INT16", tokens.numpy()),
        from_array("tail", "UINT8", tail.numpy()),
        from_array("sums", "INT64", sums.numpy()),
    ]
    outputs = [
        from_array("logits", "FP32", logits.numpy()),
        from_array("tail_after", "UINT8", tail_after.numpy()),
        from_array("sums_after", "INT64", sums_after.numpy()),
    ]
    return encode_samples([Sample(inputs=inputs, outputs=outputs)])
