# %% [markdown]
# # 3. Diffusion as a bottleneck
#
# A diffusion model covers a picture with noise and learns to take it off. What noise has destroyed, the model
# cannot know: it must come from the code. So noise decides what a code has to say.
# %%
import numpy as np
import torch

import unweave
from unweave.figures.grid import grid
from unweave.models.diffusion import noising
from unweave.tensors import to_images

rooms = unweave.open_data("rooms", {"size": 32})
# abar_t: the share of the picture's variance that is left
kept = noising.alphas_bar(noising.scheduler_config("cosine", "eps"))
image = to_images(rooms.images(np.array([250_000])))  # in [-1, 1]
eps = torch.randn(image.shape, generator=torch.Generator().manual_seed(0))


# %% [markdown]
# **Question 1.** Noise the picture: x_t is the picture times the root of abar_t, plus the noise times the root of
# one minus abar_t.
# %%
def noised(x0, eps, t):
    return kept[t].sqrt() * x0 + (1 - kept[t]).sqrt() * eps  # solution


# %%
# check
assert torch.allclose(noised(image, eps, 0), image, atol=0.1), "at time 0 nearly all is left"
assert torch.allclose(noised(image, eps, 999), eps, atol=0.1), "at the end nearly nothing"
zero, one = torch.zeros(1), torch.ones(1)
variance = float(noised(zero, one, 500)) ** 2 + float(noised(one, zero, 500)) ** 2
assert abs(variance - 1) < 1e-5, "the two shares of the variance sum to one"
# %%
times = [0, 200, 400, 600, 800, 999]
grid([torch.cat([noised(image, eps, t) for t in times]).clamp(-1, 1)], None, [f"t = {t}" for t in times])


# %% [markdown]
# **Question 2.** A network that predicts the noise also says what the picture was. Solve the equation for x_0.
# %%
def clean(x_t, eps, t):
    return (x_t - (1 - kept[t]).sqrt() * eps) / kept[t].sqrt()  # solution


# %%
# check
assert torch.allclose(clean(noised(image, eps, 600), eps, 600), image, atol=1e-3)


# %% [markdown]
# ## When is a factor lost?
#
# Take two pictures that differ in one factor alone, noise the first, and ask which of the two the result is closer
# to (after both are made as faint as the picture in it). When
# that is wrong half of the time, the factor is lost.
#
# **Question 3.** Write the test: true where the noised picture is closer to the wrong one.
# %%
def mistaken(x_t, right, wrong, t):
    return (x_t - kept[t].sqrt() * wrong).norm() < (x_t - kept[t].sqrt() * right).norm()  # solution


def lost(first, second, t, draws=200):
    rng = torch.Generator().manual_seed(t)
    pictures = to_images(rooms.images(np.array([first, second])))
    noises = torch.randn((draws, *pictures[0].shape), generator=rng)
    return float(
        np.mean([bool(mistaken(noised(pictures[0], noise, t), pictures[0], pictures[1], t)) for noise in noises])
    )


# %%
# check
assert lost(250_007, 0, 100) == 0, "at an early time nobody mistakes two rooms"
assert 0.3 < lost(250_007, 250_008, 999) < 0.7, "at the end one can only guess"
# %% [markdown]
# Row numbers count through the factors, the last fastest: orientation (15 values), shape (4), scale (8), object
# hue, wall hue, floor hue (10 each).
# %%
row = 250_007
other = {"orientation": row + 1, "object hue": row + 15 * 4 * 8, "floor hue": row + 15 * 4 * 8 * 100}
table = {name: [lost(row, second, t) for t in (700, 800, 900, 950, 980, 995)] for name, second in other.items()}
for name, shares in table.items():
    print(f"{name:12}", "  ".join(f"{share:.2f}" for share in shares))
# %% [markdown]
# **Question 4.** Which factor is lost first, which last? Give the three names in the order in which noise destroys
# them.
# %%
order = ["orientation", "object hue", "floor hue"]  # solution
# %%
# check
assert order == sorted(table, key=lambda name: -sum(table[name])), "look at the table: a larger share is lost earlier"
# %% [markdown]
# What moves few pixels is lost first. DiTi builds on this: a slice of its code opens just before a factor is lost.
#
# ## What the code must say
#
# The model in the package learnt at times from 800 on, where nearly everything is lost, so its code must say nearly
# everything.
# %%
edit = unweave.reconstruct("builtin:rooms", [250_000, 0])
edit
# %% [markdown]
# **Question 5.** `edit.images` are the pictures drawn again, first from their own noise, then from noise of a seed,
# so from the code alone: [2, picture, channel, height, width] in [-1, 1]. Compute the mean squared
# error of the second against the true pictures.
# %%
truth = to_images(unweave.open_data("rooms", {"size": 64}).images(np.array([250_000, 0])))
error = float((edit.images[1].cpu() - truth).square().mean())  # solution
# %%
# check
print(f"{error:.4f}, where a grey picture has {float(truth.square().mean()):.2f}")
assert 0 < error < 0.1
# %% [markdown]
# **To discuss.** Why does training at early times teach the code nothing? What would a code say that is trained at
# time 999 alone?
