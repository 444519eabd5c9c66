"""Which ways to explain suit a model, found out without running it."""

from __future__ import annotations

from deepseg.cost import blank_network
from deepseg.errors import ExplanationError
from deepseg.explanation.layers import layers_of
from deepseg.explanation.methods import METHODS, Method
from deepseg.spec import ModelSpec


def fitting_methods(spec: ModelSpec) -> tuple[str, ...]:
    """Keys of the methods that can be drawn of a model, in the order in which they are registered; none where its labels are painted.

    Raises:
        ModelError: the model's network cannot be built here.
    """
    if spec.output.painting:
        return ()
    network, has_layers = blank_network(spec), bool(layers_of(spec))

    def fits(method: Method) -> bool:
        try:
            method.refuse_unfit(network)
        except ExplanationError:
            return False
        return has_layers or not method.needs_layer

    return tuple(key for key, method in METHODS.items() if fits(method))
