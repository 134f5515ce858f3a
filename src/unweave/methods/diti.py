"""DiTi: features that open up step by step over diffusion time, on a frozen pre-trained model.

Yue, Wang, Sun, Ji, Chang, Zhang, "Exploring Diffusion Time-steps for Unsupervised Representation Learning",
ICLR 2024, arXiv:2401.11430. PDAE (`_guided.Guided`) whose decoder sees, at time t, only a prefix of the code that
grows with t: the slice that opens in a block of times must explain what noise destroys there.
"""

import re
from collections.abc import Sequence
from functools import partial
from itertools import accumulate
from typing import Any, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from unweave.config import SettingsError
from unweave.method import MethodDefinition, NamedGroups
from unweave.methods import _guided
from unweave.methods._guided import Code
from unweave.methods._stages import edges_of_errors, edges_of_factors
from unweave.models.diffusion.noising import STEPS
from unweave.models.foundation import Foundation
from unweave.tensors import Times

CITATION = """@inproceedings{yue2024exploring,
  title     = {Exploring Diffusion Time-steps for Unsupervised Representation Learning},
  author    = {Yue, Zhongqi and Wang, Jiankun and Sun, Qianru and Ji, Lei and Chang, Eric I-Chao and Zhang, Hanwang},
  booktitle = {International Conference on Learning Representations},
  year      = {2024},
  note      = {arXiv:2401.11430}
}"""


class DiTiSettings(_guided.GuidedSettings):
    """Defaults are the released uneven widths ('diti64')."""

    name: Literal["diti"] = "diti"
    blocks: int = Field(64, ge=1, le=STEPS, description="blocks of equal length in time; each opens a slice")
    edges: tuple[int, ...] | Literal["auto", "factors"] = Field(
        (50, 100, 300, 500, 1000),
        description="where each stage ends in time, the last at 1000; 'auto': just before the frozen model begins to "
        "lose more, from its errors; 'factors': before it begins to lose the next factors, which it needs labels for",
    )
    widths: tuple[int, ...] = Field(
        (10, 25, 327, 100, 50), description="numbers of the code that each stage opens; they sum to dim"
    )
    opening: Literal["spread", "at_once"] = Field(
        "spread", description="a stage's numbers open block by block ('spread', published) or at its start ('at_once')"
    )
    gradient: Literal["base", "stop_grad", "dual"] = Field(
        "base",
        description="of the open prefix: all of it, its newest slice alone ('stop_grad'), or both losses ('dual')",
    )

    @model_validator(mode="after")
    def _fits(self) -> "DiTiSettings":
        check_slices(self)
        return self


TIMES_OR_BLOCKS = r"([bt])(\d+)(?:-(\d+))?"
"""Names of units by when they open: t100-299, b16-23, t50."""

EVEN = {"edges": (1000,), "widths": (512,)}

PRESETS: dict[str, dict[str, dict[str, Any]]] = _guided.presets()
PRESETS["release-even"] = {**PRESETS["release"], "method": EVEN}
STAGES = {"blocks": STEPS, "edges": "auto", "widths": (16, 16, 16), "opening": "at_once", "gradient": "stop_grad"}
PRESETS["gap"] = {**PRESETS["gap"], "method": {**PRESETS["gap"]["method"], **STAGES}}
"""`release-even` opens eight numbers in every block. `gap`, ours, has three stages whose edges it finds."""


class PrefixMask(_guided.CodeMask):
    """m_b(t): 1 on the first `ends[b]` numbers of the code, b(t) = floor(t · blocks / 1000).

    t is the original time 0 .. 999 whatever the sampler's stride, so that inversion and generation open the same slices
    as training. Edges that are found are a buffer; others are settings, and in no checkpoint.
    """

    def __init__(self, settings: DiTiSettings, edges: Sequence[int]) -> None:
        super().__init__()
        self.settings = settings.model_copy(update={"edges": tuple(edges)})
        self.finds_edges = isinstance(settings.edges, str)
        self.edges: Tensor
        self.first: Tensor
        self.ends: Tensor
        self.register_buffer("edges", torch.tensor(edges), persistent=self.finds_edges)
        self.register_buffer("first", torch.tensor(newest_slices(self.settings)), persistent=False)
        self.register_buffer("ends", torch.tensor(slice_ends(self.settings)), persistent=False)

    def settle(self) -> None:
        """Open the slices by the edges that were loaded."""
        self.settings = self.settings.model_copy(update={"edges": tuple(self.edges.tolist())})
        self.first.copy_(torch.tensor(newest_slices(self.settings)))
        self.ends.copy_(torch.tensor(slice_ends(self.settings)))

    def visible(self, code: Code, t: Times) -> Code:
        return code * (torch.arange(code.shape[1], device=code.device) < self.count(t)[:, None])

    def training_codes(self, code: Code, t: Times) -> Sequence[Code]:
        if self.settings.gradient == "base":
            return [self.visible(code, t)]
        newest = torch.arange(code.shape[1], device=code.device) >= self.first[self.block(t)][:, None]
        detached = self.visible(torch.where(newest, code, code.detach()), t)
        return [detached] if self.settings.gradient == "stop_grad" else [self.visible(code, t), detached]

    def block(self, t: Times) -> Times:
        """The block of each time."""
        return t * self.settings.blocks // STEPS

    def count(self, t: Times) -> Times:
        """How many numbers of the code are open at each time."""
        return self.ends[self.block(t)]


class DiTi(_guided.Guided):
    """Loss: mean of lambda_t (eps - (eps_0 + s_t G(x_t, t, m_b(t) z)))², m_b the `PrefixMask` (see `_guided.Guided`).

    Each slice is a group of units, named after its stage. 'stop_grad' lets gradients into the newest slice only; 'dual'
    adds that loss to the plain one.

    Ours: stages whose numbers open at once, so that the newest slice is that of the stage, and edges that are found
    before the first step and kept in the checkpoint. A slice comes to hold what noise destroys in its stage where the
    stage ends just before the next thing begins to be lost, not where half of it is lost. `auto` finds such times in
    the frozen model's errors (`_stages.edges_of_errors`), without labels; `factors` from pairs of images that differ in
    one factor (`_stages.edges_of_factors`), and is supervised: tables name such a run "diti (with labels)".
    """

    def __init__(self, settings: DiTiSettings, foundation: Foundation) -> None:
        own_encoder = foundation._replace(encoder=None)  # its code is ordered by time, which no other run's is
        super().__init__(settings, own_encoder, "DiTi", PrefixMask(settings, first_edges(settings, foundation)))
        self.unit_groups = stage_groups(self.stages)
        self.register_load_state_dict_post_hook(settle_loaded)

    @property
    def stages(self) -> DiTiSettings:
        """The settings with the edges that are in force."""
        assert isinstance(self.mask, PrefixMask)
        return self.mask.settings


def settle_loaded(method: nn.Module, _: Any) -> None:
    """Loaded weights bring the edges that were found for them, and these the names of the slices."""
    assert isinstance(method, DiTi)
    assert isinstance(method.mask, PrefixMask)
    if method.mask.finds_edges:
        method.mask.settle()
        method.unit_groups = stage_groups(method.stages)


def stage_groups(settings: DiTiSettings) -> NamedGroups:
    """The units of each stage, and of any times or blocks."""
    return NamedGroups(stage_units(settings), partial(units_of_range, settings), TIMES_OR_BLOCKS)


def first_edges(settings: DiTiSettings, foundation: Foundation) -> Sequence[int]:
    """The edges that are set, or found; equal stages where they are to be loaded.

    Raises SettingsError where none can be found.
    """
    stages = len(settings.widths)
    if settings.edges == "auto" and foundation.error is not None:
        edges = edges_of_errors(foundation.error, stages)
    elif settings.edges == "factors" and foundation.losses is not None:
        edges = edges_of_factors(foundation.losses, stages)
    else:
        return edges_in_force(settings)
    check_slices(settings.model_copy(update={"edges": tuple(edges)}))
    return edges


def block_starts(settings: DiTiSettings) -> list[int]:
    """The first time of each block, and 1000: block b has the times t with floor(t · blocks / 1000) = b."""
    return [-(-STEPS * block // settings.blocks) for block in range(settings.blocks + 1)]


def edges_in_force(settings: DiTiSettings) -> Sequence[int]:
    """The edges that are set; those of equal stages where they are to be found."""
    stages = len(settings.widths)
    if isinstance(settings.edges, str):
        return [STEPS * (stage + 1) // stages for stage in range(stages)]
    return settings.edges


def stage_of_blocks(settings: DiTiSettings) -> list[int]:
    """The stage of each block: that of where it begins as a real number, 15.625 steps apart for 64 blocks."""
    starts = [block * STEPS / settings.blocks for block in range(settings.blocks)]
    return [next(i for i, edge in enumerate(edges_in_force(settings)) if start < edge) for start in starts]


def slice_widths(settings: DiTiSettings) -> list[int]:
    """Numbers of the code that each block opens: its stage's width shared evenly, the rest in its last block; or all in
    its first."""
    stages = stage_of_blocks(settings)
    if settings.opening == "at_once":
        begins = [block == 0 or stages[block - 1] != stage for block, stage in enumerate(stages)]
        return [settings.widths[stage] if first else 0 for stage, first in zip(stages, begins)]
    widths = [settings.widths[i] // stages.count(i) for i in stages]
    for i, width in enumerate(settings.widths):
        last = len(stages) - 1 - stages[::-1].index(i)
        widths[last] += width % stages.count(i)
    return widths


def slice_ends(settings: DiTiSettings) -> list[int]:
    """How many numbers of the code are open in each block."""
    return list(accumulate(slice_widths(settings)))


def newest_slices(settings: DiTiSettings) -> list[int]:
    """Where the newest slice of the code begins in each block: that of the block, or of its stage."""
    before = [0, *slice_ends(settings)[:-1]]
    if settings.opening == "spread":
        return before
    stages = stage_of_blocks(settings)
    return [before[stages.index(stage)] for stage in stages]


def stage_units(settings: DiTiSettings) -> dict[str, list[int]]:
    """The units that each stage opens, by the times at which it does: {"t0-49": [0, ..., 9], ...}."""
    stages, ends, starts = stage_of_blocks(settings), slice_ends(settings), block_starts(settings)
    units, opened = {}, 0
    for i in range(len(settings.widths)):
        blocks = [block for block, stage in enumerate(stages) if stage == i]
        name = f"t{starts[blocks[0]]}-{starts[blocks[-1] + 1] - 1}"
        units[name] = list(range(opened, ends[blocks[-1]]))
        opened = ends[blocks[-1]]
    return units


def units_of_range(settings: DiTiSettings, name: str) -> list[int] | None:
    """The units that open at a range of times, such as t100-299, or in a range of blocks, such as b16-23."""
    match = re.fullmatch(TIMES_OR_BLOCKS, name)
    if match is None:
        return None
    first, last = int(match[2]), int(match[3] or match[2])
    return units_of_times(settings, first, last) if match[1] == "t" else units_of_blocks(settings, first, last)


def units_of_times(settings: DiTiSettings, first: int, last: int) -> list[int]:
    """The units that open at the times first .. last. Raises ValueError for times outside 0 .. 999."""
    if not 0 <= first <= last < STEPS:
        raise ValueError(f"a time range must lie in 0..{STEPS - 1} and not run backwards, got {first}-{last}.")
    return units_of_blocks(settings, first * settings.blocks // STEPS, last * settings.blocks // STEPS)


def units_of_blocks(settings: DiTiSettings, first: int, last: int) -> list[int]:
    """The units that open in the blocks first .. last. Raises ValueError for blocks that there are not, or that open
    none."""
    if not 0 <= first <= last < settings.blocks:
        raise ValueError(f"blocks must lie in 0..{settings.blocks - 1} and not run backwards, got {first}-{last}.")
    ends = slice_ends(settings)
    units = list(range(ends[first - 1] if first else 0, ends[last]))
    if not units:
        raise ValueError(
            f"no number of the code opens in the blocks {first}-{last} (of {settings.blocks}): take a wider range."
        )
    return units


def check_slices(settings: DiTiSettings) -> None:
    """Raises SettingsError where stages do not fit the code or the blocks."""
    edges, widths = edges_in_force(settings), settings.widths
    if len(edges) != len(widths):
        raise SettingsError(
            f"method.edges ({len(edges)}) and method.widths ({len(widths)}) must have one number a stage."
        )
    if sum(widths) != settings.dim:
        raise SettingsError(
            f"method.widths must sum to method.dim ({settings.dim}), "
            f"and {' + '.join(map(str, widths))} is {sum(widths)}."
        )
    if list(edges) != sorted(set(edges)) or edges[-1] != STEPS or edges[0] < 1 or min(widths) < 1:
        raise SettingsError(
            f"method.edges must rise to {STEPS}, and method.widths be 1 or more; got {edges} and {widths}."
        )
    without_blocks = set(range(len(edges))) - set(stage_of_blocks(settings))
    if without_blocks:
        i = min(without_blocks)
        raise SettingsError(
            f"no block begins in the stage that ends at {edges[i]}: with {settings.blocks} blocks one begins every "
            f"{STEPS / settings.blocks:g} times; move method.edges or raise method.blocks."
        )


def build(settings: DiTiSettings, foundation: Foundation) -> DiTi:
    return DiTi(settings, foundation)


METHOD = MethodDefinition(
    settings=DiTiSettings,
    build=build,
    presets=PRESETS,
    citation=CITATION,
    scored_weights="averaged",
    labels=lambda settings: () if settings.edges == "factors" else None,
    takes_views=True,
)
