"""KServe's side: a custom model around the TorchScript file of `--artifact`. Runs in KServe's environment."""

import argparse
import uuid

import torch
from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer, model_server


class TorchScriptModel(Model):
    """Loads the file, frozen as Galley does; one torch thread, which is fastest for a model this small."""

    def __init__(self, name: str, artifact: str) -> None:
        super().__init__(name)
        self._artifact = artifact
        self._module: torch.jit.ScriptModule | None = None

    def __reduce__(self) -> tuple[object, ...]:
        # KServe sends the model to each of its workers, and TorchScript cannot be pickled: they read it themselves.
        return loaded, (self.name, self._artifact)

    def load(self) -> bool:
        torch.set_num_threads(1)
        self._module = torch.jit.freeze(torch.jit.load(self._artifact).eval())
        self.ready = True
        return self.ready

    def predict(self, payload: InferRequest, *_arguments: object, **_options: object) -> InferResponse:
        with torch.inference_mode():
            scores = self._module(torch.from_numpy(payload.inputs[0].as_numpy())).numpy()
        output = InferOutput(name="scores", shape=list(scores.shape), datatype="FP32")
        output.set_data_from_numpy(scores, binary_data=payload.use_binary_outputs)
        response_id = payload.id or str(uuid.uuid4())
        return InferResponse(response_id, self.name, [output], use_binary_outputs=payload.use_binary_outputs)


def loaded(name: str, artifact: str) -> TorchScriptModel:
    """Return a model that is ready."""
    model = TorchScriptModel(name, artifact)
    model.load()
    return model


if __name__ == "__main__":
    parser = argparse.ArgumentParser(parents=[model_server.parser])
    parser.add_argument("--artifact", required=True)
    given = parser.parse_args()
    ModelServer().start([loaded(given.model_name, given.artifact)])
