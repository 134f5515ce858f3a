"""Where the slider of a factor or unit is: a quantile, or where another picture has it, with that picture's code."""

from dataclasses import dataclass, field

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Taken:
    """A unit whose whole code comes from another picture: of a vector, more than its slider can say."""

    at: float  # where the slider is nearest to it, in [0, 1]
    name: str  # of the picture, as the command line takes it
    code: Float[Tensor, "unit dim"] = field(compare=False, repr=False)


SliderPlace = float | Taken


def slider_at(place: SliderPlace) -> float:
    """Where the slider is, in [0, 1]."""
    return place.at if isinstance(place, Taken) else place
