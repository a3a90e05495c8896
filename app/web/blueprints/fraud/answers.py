"""From the body of a request for a score to that of its answer, or to a job."""

from app.infra.clock import Clock
from app.scenarios.fraud_answers import write_answer
from app.scenarios.fraud_events import TASK, encode_event, read_request
from app.scenarios.job_fraud import FraudJobs
from app.scenarios.outcomes import only_answer
from app.services.fraud_sequence import sequence_of
from app.web.answers import Answer
from app.web.blueprints.jobs.requests import JobRequest
from app.web.blueprints.jobs.respond_async import SingleCall, answer_or_post
from app.web.inference import InferenceCall
from app.web.json_body import check_json


def answer_score(call: InferenceCall, body: bytes, *, model: str | None = None, version: str | None = None) -> Answer:
    """Have a runner score the event that a body holds, and move its account on; or make that a job.

    :raises GalleyError: whatever may befall an inference, or the move of an account.
    """
    name = model or call.services.settings.fraud_model
    call.check_model_allowed(name)
    check_json(call.environ, body)
    event = read_request(body, now=Clock().utcnow())
    about = event.account_id

    def answer() -> Answer:
        rows, sequences = [encode_event(event)], [sequence_of(event)]
        prediction = call.ask(name, version, rows, task=TASK, about=about, sequences=sequences)
        return Answer(write_answer(event.event_id, only_answer(prediction.outcomes), prediction.answered_by))

    request = JobRequest(kind=FraudJobs.name, model=name, version=version)
    return answer_or_post(call, answer, lambda: SingleCall(request=request, bodies=[body], about=about))
