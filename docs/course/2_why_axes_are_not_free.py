# %% [markdown]
# # 2. Why axes are not free
#
# You begin with a perfect code, turn it, and watch: nothing is lost, and yet everything that we want of it is gone.
# %%
import numpy as np

import unweave
from unweave.figures.matrix import plot_matrix

sprites = unweave.open_data("sprites", {"size": 16})
rng = np.random.default_rng(0)
rows = rng.permutation(len(sprites))[:4_000]
factors = sprites.factors(rows)  # what was chosen for each picture
names = list(sprites.factor_names)
perfect = factors + rng.normal(0, 0.1, factors.shape)
perfect = (perfect - perfect.mean(0)) / perfect.std(0)  # a unit for each factor, mean 0, deviation 1


def scores(codes):
    found = unweave.evaluate_tables(codes, factors, protocols=["dci-2k@1", "mig@1"], repeats=1)
    protocols = found["protocols"]
    dci = protocols["dci-2k@1"]["disentanglement"]["value"]
    return {
        "DCI": dci,
        "MIG": protocols["mig@1"]["mig"]["value"],
        "matrix": found["matrices"]["dci-2k@1"]["importance"],
    }


before = scores(perfect)
print(f"DCI {before['DCI']:.2f}, MIG {before['MIG']:.2f}")
# %% [markdown]
# DCI says how far each unit speaks of one factor, MIG how far each factor is in one unit; both are 1 for a perfect code
# (see *DCI* and *MIG* in the glossary).
#
# **Question 1.** Make an orthogonal matrix of 6 x 6: it turns the code (and may mirror it). The Q of a QR decomposition
# of random numbers is one.
# %%
turn = np.linalg.qr(rng.normal(size=(6, 6)))[0]  # solution
# %%
# check
assert np.shape(turn) == (6, 6), "fill in `turn` first: a matrix of 6 x 6"
assert np.allclose(turn @ turn.T, np.eye(6)), "its columns have length 1 and are at right angles"
assert np.abs(turn).max() < 0.99, "it turns: it does not only swap axes"
# %% [markdown]
# **Question 2.** Turn the code, and turn the result back. Turning back needs no inverse.
# %%
turned = perfect @ turn  # solution
back = turned @ turn.T  # solution
# %%
# check
assert np.shape(turned) == np.shape(back) == perfect.shape, "fill in `turned` and `back` first"
assert np.allclose(back, perfect), "turning back gives the code again, so nothing is lost"
assert not np.allclose(turned, perfect)


# %% [markdown]
# A decoder that turns back first draws exactly the same pictures. And a VAE's prior? Codes of independent units of
# variance 1 look the same from every side:
#
# **Question 3.** Compute the covariance of the turned code, and its distances between the first 50 pictures.
# %%
def distances(codes):
    return np.linalg.norm(codes[:50, None] - codes[None, :50], axis=2)  # solution


covariance = np.cov(turned.T)  # solution
# %%
# check
assert np.shape(covariance) == (6, 6), "fill in `covariance` first: a matrix of 6 x 6"
assert np.abs(covariance - np.eye(6)).max() < 0.15, "still nearly uncorrelated, of variance 1"
assert np.allclose(distances(turned), distances(perfect)), "a rotation keeps distances"
# %% [markdown]
# Now the scores. **Question 4.** Before you run the cell: will they go up, stay, or go down? Write "up", "same" or
# "down".
# %%
my_guess = "down"  # solution
# %%
# check
after = scores(turned)
print(
    f"before: DCI {before['DCI']:.2f}, MIG {before['MIG']:.2f}; turned: DCI {after['DCI']:.2f}, MIG {after['MIG']:.2f}"
)
right = "down" if after["DCI"] < before["DCI"] - 0.3 and after["MIG"] < before["MIG"] - 0.3 else "same"
assert my_guess == right, f"they go {right}: every unit now has a part of every factor"
# %%
plot_matrix(np.array(before["matrix"]), names, title="The perfect code: a unit for each factor", high=1)
# %%
plot_matrix(np.array(after["matrix"]), names, title="The same, turned", high=1)
# %% [markdown]
# So an objective that does not change when the code is turned cannot choose these axes. Each method in the
# following lessons assumes something that *does* change.
#
# A VAE's loss is the same for a turned code *only if* its encoder may say how units vary together, given a picture.
# It may not: it gives each unit a spread of its own. Let the picture change by 3 along one factor and by 2 along the
# other. The precision of the code, given the picture (the inverse of its covariance), is then
# `np.eye(2) + turn.T @ np.diag([9, 4]) @ turn`, and independent spreads lose
# `(log of the product of its diagonal - log of its determinant) / 2`.
#
# **Question 5.** Compute this loss for a code that is turned by an angle.


# %%
def lost(one, other, angle):
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    precision = np.eye(2) + turn.T @ np.diag([one**2, other**2]) @ turn  # solution
    return (np.log(np.diag(precision)).sum() - np.log(np.linalg.det(precision))) / 2  # solution


# %%
# check
assert abs(lost(3, 2, 0)) < 1e-9, "upright: independent spreads describe it exactly"
assert lost(3, 2, np.pi / 4) > 0.05, "oblique: they cannot"
assert abs(lost(2, 2, np.pi / 4)) < 1e-9, "factors of equal strength: a circle, whichever way it is turned"
# %% [markdown]
# So this is what breaks the tie in practice, where factors differ in strength; `unweave demo vae` measures it in a
# trained network, as `ELBO, mean-field`.
#
# Draw what is known of a code, given one picture, as an ellipse: narrow along a direction that changes the picture
# much, wide along one that changes it little. Independent spreads describe it where it stands upright on the axes.
#
# **To discuss.** Two factors change the same pixels: which axes are the cheapest then? (Those of the ellipse, which are
# not the factors: see *Why a code's axes mean something at all* in the ideas, and the last curve there.)
