# %% [markdown]
# # 1. What a code is
#
# A picture of 16 x 16 pixels in colour is 768 numbers. Pictures of one kind of thing need far fewer: what is drawn
# here is decided by six
# choices. In this lesson you make a *code*, a few numbers for each picture, and draw pictures from it again.
#
# Fill in every `...  # your turn`. The cells that begin with `# check` fail until you are right.
# %%
import numpy as np

import unweave
from unweave.figures.grid import grid

sprites = unweave.open_data("sprites", {"size": 16})
rng = np.random.default_rng(0)
rows = rng.permutation(len(sprites))[:3_000]
images = sprites.images(rows)  # uint8 [picture, height, width, colour]
pixels = images.reshape(len(images), -1) / 255  # in [0, 1]
print(sprites.factor_names, pixels.shape)
grid([images[:8]], title="Eight of the pictures")
# %% [markdown]
# ## The best linear code
#
# Principal components are directions in which the pictures vary most. The code of a picture is how far it lies
# along each of them, seen from the mean picture.
# %%
mean = pixels.mean(0)
components = np.linalg.svd(pixels - mean, full_matrices=False)[2][:20]  # 20 directions, each of length 1
# %% [markdown]
# **Question 1.** Compute the code of every picture: 20 numbers each. It is one product of matrices.
# %%
codes = (pixels - mean) @ components.T  # solution
# %%
# check
assert codes.shape == (3_000, 20), "a row for each picture, a column for each unit"
assert abs(codes.mean()) < 1e-8, "measured from the mean picture"
assert codes[:, 0].var() > codes[:, 1].var() > codes[:, 19].var(), "the first unit varies most"


# %% [markdown]
# **Question 2.** Draw pictures from codes again: the mean picture, plus each direction times its number.
# %%
def decode(codes):
    return mean + codes @ components  # solution


# %%
# check
error = ((decode(codes) - pixels) ** 2).mean()
assert decode(codes).shape == pixels.shape, "pictures have 768 numbers"
assert error < ((mean - pixels) ** 2).mean() / 3, "better than the mean picture"


# %%
def as_images(pixels):
    return (np.clip(pixels, 0, 1) * 255).round().astype(np.uint8).reshape(-1, 16, 16, 3)


grid([images[:8], as_images(decode(codes[:8]))], ["pictures", "from 20 numbers"])


# %% [markdown]
# ## What does one unit do?
#
# A *traversal* moves one unit through its range and keeps the others.
#
# **Question 3.** Make the codes of a traversal of unit 3 of the first picture: seven copies of its code, in which
# unit 3 goes evenly from its lowest to its highest value in the data.
# %%
def traversal(unit, steps=7):
    moved = np.tile(codes[0], (steps, 1))
    moved[:, unit] = np.linspace(codes[:, unit].min(), codes[:, unit].max(), steps)  # solution
    return moved


# %%
# check
moved = traversal(3)
assert np.isclose(moved[0, 3], codes[:, 3].min()), "it begins at the lowest value"
assert np.isclose(moved[-1, 3], codes[:, 3].max()), "and ends at the highest"
assert np.allclose(np.delete(moved, 3, 1), np.delete(codes[0], 3)), "all other units are kept"
# %%
grid([as_images(decode(traversal(unit))) for unit in range(4)], [f"unit {unit}" for unit in range(4)])
# %% [markdown]
# Each unit changes many things at once: these axes are those of most variance, and no person would call them shape
# or colour. The next lesson asks whether there are better axes.
#
# **To discuss.** How many numbers would the best code of these pictures have? Which pictures does this code rebuild
# worst, and why?
