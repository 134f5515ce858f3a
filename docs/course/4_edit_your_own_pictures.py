# %% [markdown]
# # 4. Edit your own pictures
#
# The model in the package has 20 units and was never told what they are. You find out, and edit a picture file.
# %%
import numpy as np
from PIL import Image

import unweave

rooms = unweave.open_data("rooms", {"size": 64})
Image.fromarray(rooms.images(np.array([250_000]))[0]).save("mine.png")
Image.fromarray(rooms.images(np.array([77_777]))[0]).save("yours.png")
unweave.swap("builtin:rooms", "mine.png", "yours.png", units="14,2,4,8,10")
# %% [markdown]
# **Question 1.** Swap each of the 20 units, one at a time (`units=list(range(20))`; without it, factors are swapped:
# units that change one thing together), from `yours.png` into `mine.png`. Which shape does `images` have?
# `images` is [image, edit, channel, height, width].
# %%
edit = unweave.swap("builtin:rooms", "mine.png", "yours.png", units=list(range(20)))  # solution
edit.images.shape
# %%
# check
assert tuple(edit.images.shape) == (1, 20, 3, 64, 64), "one picture, an edit for each of the 20 units"
# %% [markdown]
# **Question 2.** Each edit is one unit from the partner. How much does each unit change the picture? Compute the
# mean absolute change against the reconstruction, a number for each unit.
# %%
rebuilt = unweave.reconstruct("builtin:rooms", "mine.png").images[1]  # from the code and the seed 0, as the swap
changes = (edit.images[0] - rebuilt).abs().mean((1, 2, 3)).cpu().numpy()  # solution
# %%
# check
assert changes.shape == (20,)
assert (changes >= 0).all()
print("strongest first:", np.argsort(-changes)[:6])
# %% [markdown]
# **Question 3.** Which unit changes the lower part of the picture (the floor: rows 48 to 63) most, compared with
# the upper part (rows 8 to 20)?
# %%
difference = (edit.images[0] - rebuilt).abs().mean(1).cpu().numpy()  # [unit, height, width]
floor_unit = int(np.argmax(difference[:, 48:].mean((1, 2)) - difference[:, 8:21].mean((1, 2))))  # solution
# %%
# check
assert floor_unit in (3, 8), "units 3 and 8 hold the hue of the floor"
# %% [markdown]
# **Question 4.** Move that unit through its range: `unweave.traverse` with the picture, the unit and five steps.
# %%
film = unweave.traverse("builtin:rooms", "mine.png", units=floor_unit, steps=5)  # solution
film
# %%
# check
assert film.images.shape[1] == 5, "five steps"
lower, upper = film.images[0, :, 0, :, 48:], film.images[0, :, 0, :, 8:21]
assert float(lower.std(0).mean()) > 2 * float(upper.std(0).mean()), "the floor changes, the wall much less"
# %% [markdown]
# **Question 5.** Save the film as `floor.gif`, replacing one that is there.
# %%
saved = film.save("floor.gif", overwrite=True)  # solution
# %%
# check
assert saved.exists()
assert saved.suffix == ".gif"
# %% [markdown]
# Now your own: put a folder of pictures in place of `photos/`.
#
# ```sh
# unweave report photos/
# unweave app runs/encdiff-photos
# ```
#
# **To discuss.** This model knows rooms only. What does `unweave.reconstruct("builtin:rooms",
# "your-own-photo.png")` draw, and why?
