"""From the body of a request to classify texts to that of its answer, or to a job."""

from app.scenarios.job_text import TextJobs
from app.scenarios.text import DEFAULT_TOP_K, TASK
from app.scenarios.text_answers import write_answer
from app.scenarios.text_requests import read_request
from app.web.answers import Answer
from app.web.blueprints.jobs.requests import JobRequest
from app.web.blueprints.jobs.respond_async import SingleCall, answer_or_post
from app.web.inference import InferenceCall
from app.web.json_body import check_json


def answer_texts(
    call: InferenceCall,
    body: bytes,
    *,
    model: str | None = None,
    version: str | None = None,
    top_k: int = DEFAULT_TOP_K,
) -> Answer:
    """Have a runner classify the texts that a body holds, and put its rows together; or make that a job.

    :raises GalleyError: whatever may befall an inference.
    """
    name = model or call.services.settings.text_model
    call.check_model_allowed(name)
    check_json(call.environ, body)
    rows = read_request(body)
    parameters = {"top_k": top_k}

    def answer() -> Answer:
        prediction = call.ask(name, version, rows, task=TASK, parameters=parameters)
        return Answer(write_answer(prediction.outcomes, prediction.answered_by))

    request = JobRequest(kind=TextJobs.name, model=name, version=version, parameters=parameters)
    return answer_or_post(call, answer, lambda: SingleCall(request=request, bodies=[body]))
