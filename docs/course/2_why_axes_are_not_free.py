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
# **Question 1.** Make a rotation: an orthogonal matrix of 6 x 6. (The Q of a QR decomposition of random numbers is
# one.)
# %%
turn = np.linalg.qr(rng.normal(size=(6, 6)))[0]  # solution
# %%
# check
assert turn.shape == (6, 6)
assert np.allclose(turn @ turn.T, np.eye(6)), "its columns have length 1 and are at right angles"
assert np.abs(turn).max() < 0.99, "it turns: it does not only swap axes"
# %% [markdown]
# **Question 2.** Turn the code, and turn the result back. Turning back needs no inverse.
# %%
turned = perfect @ turn  # solution
back = turned @ turn.T  # solution
# %%
# check
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
assert my_guess == ("down" if after["DCI"] < before["DCI"] - 0.3 and after["MIG"] < before["MIG"] - 0.3 else "same")
# %%
plot_matrix(np.array(before["matrix"]), names, title="The perfect code: a unit for each factor", high=1)
# %%
plot_matrix(np.array(after["matrix"]), names, title="The same, turned", high=1)
# %% [markdown]
# So an objective that does not change when the code is turned cannot choose these axes. Each method in the
# following lessons assumes something that *does* change.
#
# **To discuss.** A beta-VAE's encoder gives each unit a spread of its own. Turn a code whose units have different
# spreads: are its units still independent, given the picture? This is what
# breaks the tie in practice: `unweave demo vae` measures it.
