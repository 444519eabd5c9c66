"""An ONNX file in place of a model's networks, so that it runs on DeepSeg's own road, from an image to labels, and is measured there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from deepseg.bundle import ModelBundle, sha256_of
from deepseg.errors import ModelError

INPUT, OUTPUT = "image", "logits"


class OnnxNetwork(nn.Module):
    """Runs an ONNX file on the processor, with as many threads as PyTorch."""

    def __init__(self, path: Path) -> None:
        """Open the file.

        Raises:
            ModelError: it cannot be opened.
        """
        import onnxruntime

        super().__init__()
        # Whoever asks a network where it computes looks at its first parameter.
        self.place = nn.Parameter(torch.zeros(1), requires_grad=False)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        try:
            self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its errors share no base
            raise ModelError(f"The ONNX file {path} cannot be opened: {str(error).splitlines()[0]}") from error

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Logits (N, L, ...) float32 of windows (N, C, ...), 4 or 5 axes."""
        (answer,) = self._session.run([OUTPUT], {INPUT: image.contiguous().numpy()})
        return torch.from_numpy(answer)


@dataclass(frozen=True)
class OnnxBundle(ModelBundle):
    """A model with an ONNX file as its one network, in which members are averaged already.

    Attributes:
        file: the ONNX file.
    """

    file: Path

    @staticmethod
    def of(bundle: ModelBundle, file: Path) -> OnnxBundle:
        """The file in place of the networks of the model it was made from."""
        # DeepSeg keeps the last networks by a hash that holds those of their weights.
        return OnnxBundle(replace(bundle.spec, weights={file.name: sha256_of(file)}), bundle.folder, file)

    def build_network(self, member: int = 0, device: str | torch.device = "cpu") -> nn.Module:
        """The network, on the processor, in float32."""
        return OnnxNetwork(self.file).to(device).eval()
