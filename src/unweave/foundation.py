"""What a method is given when it is built: the shape of its images and the size of its set.

The frozen networks that some methods stand on (autoencoders, denoisers) will be fields here.
"""

from typing import NamedTuple


class Foundation(NamedTuple):
    shape: tuple[int, int, int]  # channels, height, width of the images
    rows: int  # images in the training set, for methods with a code per image
