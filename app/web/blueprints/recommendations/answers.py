"""From the body of a request for recommendations to that of its answer, whichever way the request came."""

from functools import partial

from app.scenarios.job_recommendations import RecommendationJobs
from app.scenarios.recommendation_answers import write_answer
from app.scenarios.recommendation_requests import RecommendationRequest, read_request
from app.scenarios.recommendations import TASK
from app.web.answers import Answer
from app.web.blueprints.jobs.requests import JobRequest
from app.web.blueprints.jobs.respond_async import SingleCall, answer_or_post
from app.web.inference import InferenceCall
from app.web.json_body import check_json


def answer_recommendations(
    call: InferenceCall, body: bytes, *, model: str | None = None, version: str | None = None
) -> Answer:
    """Have a runner rank items for the users that a body names, and put its rows together; or make that a job.

    :raises GalleyError: whatever may befall an inference.
    """
    name = model or call.services.settings.recommendations_model
    call.check_model_allowed(name)
    check_json(call.environ, body)
    request = read_request(body)
    return answer_or_post(
        call,
        partial(_answer, call, request, name, version),
        lambda: SingleCall(
            request=JobRequest(kind=RecommendationJobs.name, model=name, version=version),
            bodies=[body],
            about=request.subject,
        ),
    )


def _answer(call: InferenceCall, request: RecommendationRequest, name: str, version: str | None) -> Answer:
    prediction = call.ask(name, version, request.rows, task=TASK, about=request.subject)
    return Answer(write_answer(request, prediction.outcomes, prediction.answered_by))
