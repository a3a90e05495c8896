"""MLServer's side: a custom runtime around the TorchScript file that its settings name; runs in its environment."""

import torch
from mlserver import MLModel, types
from mlserver.codecs import NumpyCodec


class TorchScriptModel(MLModel):
    """Loads the file, frozen as Galley does; one torch thread, which is fastest for a model this small."""

    async def load(self) -> bool:
        torch.set_num_threads(1)
        self._module = torch.jit.freeze(torch.jit.load(self.settings.parameters.uri).eval())
        return True

    async def predict(self, payload: types.InferenceRequest) -> types.InferenceResponse:
        rows = NumpyCodec.decode_input(payload.inputs[0])
        with torch.inference_mode():
            scores = self._module(torch.from_numpy(rows))
        return types.InferenceResponse(
            model_name=self.name, outputs=[NumpyCodec.encode_output("scores", scores.numpy())]
        )
