"""Names of the true factors, with the true values as positions and the true pictures as edits."""

APPEARANCE = {"brightness", "contrast", "hue", "saturation", "edge density", "texture scale"}
FORM = {"area", "horizontal position", "vertical position", "orientation", "elongation", "solidity", "circularity"}
COLOUR, OUTLINE = {"hue", "brightness", "saturation"}, {"elongation", "solidity", "circularity"}
ACCEPTED = {
    "rooms": {
        "floor_hue": {"hue"},
        "wall_hue": {"hue"},
        "object_hue": {"hue"},
        "scale": {"area"},
        "shape": OUTLINE,
        "orientation": {"orientation", "horizontal position"},
    },
    "sprites": {
        "shape": OUTLINE,
        "scale": {"area"},
        "orientation": {"orientation"},
        "x": {"horizontal position"},
        "y": {"vertical position"},
        "colour": {"hue"},
    },
    "lpc_sprites": {
        "body": COLOUR,
        "bottomwear": COLOUR,
        "topwear": COLOUR,
        "hair": COLOUR,
        "action": FORM,
        "direction": FORM,
    },
}
"""By data set and true factor: what may be said to follow it. "No measured name" is right as well where no measurement
reaches half an agreement."""


def test_every_accepted_name_is_of_a_measurement() -> None:
    for factors in ACCEPTED.values():
        assert set().union(*factors.values()) <= APPEARANCE | FORM
