"""What an array must be to hold images, and how to convert one that is something else."""

import numpy as np

SAMPLED_NUMBERS = 1 << 22  # that are looked at to say how to convert them


def check_dimensions(shape: list[int], where: str) -> None:
    """Raises ValueError where an array of this shape holds no images."""
    if len(shape) not in (3, 4):
        raise ValueError(f"{where} must be [N, H, W, C] or [N, H, W], got shape {shape}.")
    if 0 in shape:
        raise ValueError(f"{where} hold no image: their shape is {shape}.")


def sample_size(shape: list[int]) -> int:
    """How many images to look at to say how to convert them."""
    return max(1, min(shape[0], SAMPLED_NUMBERS // int(np.prod(shape[1:]))))


def count_channels(shape: list[int], where: str) -> int:
    """1 or 3. Raises ValueError for any other number."""
    channels = shape[3] if len(shape) == 4 else 1
    if channels == 4:
        raise ValueError(f"{where} have 4 channels, the last is probably alpha; store images[..., :3].")
    if channels not in (1, 3):
        hint = "; they look channels-first: store images.transpose(0, 2, 3, 1)" if shape[1] in (1, 3) else ""
        raise ValueError(f"{where} must have 1 or 3 channels last, got shape {shape}{hint}.")
    return channels


def conversion_hint(images: np.ndarray) -> str:
    """What these images are in place of uint8, and how to convert them."""
    if images.dtype == bool:
        return "got bool; store images.astype(np.uint8) * 255"
    if np.issubdtype(images.dtype, np.floating):
        bad = ~np.isfinite(images.reshape(len(images), -1)).all(axis=1)
        if bad.any():
            return f"got {images.dtype} with NaN or infinite pixels in {bad.sum()} images (the first is {bad.argmax()})"
        low, high = images.min(), images.max()
        range_ = f"got {images.dtype} in [{low:g}, {high:g}]"
        if low >= 0 and high <= 1:
            return f"{range_}; store (images * 255).round().astype(np.uint8)"
        if low >= -1 and high <= 1:
            return f"{range_}; store ((images + 1) * 127.5).round().astype(np.uint8)"
        if low >= 0 and high <= 255:
            return f"{range_}; store images.round().astype(np.uint8)"
        return f"{range_}; scale them to 0..255, then .round().astype(np.uint8)"
    if np.issubdtype(images.dtype, np.integer) and images.min() >= 0 and images.max() <= 255:
        return f"got {images.dtype}; store images.astype(np.uint8)"
    return f"got {images.dtype}; scale them to 0..255, then .astype(np.uint8)"
