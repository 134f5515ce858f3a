"""The table [foundation] of a settings file: which frozen networks a method stands on, and how they are made."""

from typing import Any

from pydantic import ConfigDict, Field

from unweave.config import Frozen


class NetworkSource(Frozen):
    """Where a frozen network comes from, and how to make it when it is not there."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)
    origin: str = Field(
        alias="from", description="a run, a folder in diffusers' layout, or owner/name on the Hub", min_length=1
    )
    recipe: str | dict[str, Any] | None = Field(
        None, description="settings file, method name or tables that `unweave train` makes it from"
    )


class FoundationSettings(Frozen):
    """The table [foundation]: the frozen networks that a method stands on."""

    autoencoder: NetworkSource | None = Field(
        None, description="the space that diffusion works in; pixels if not given"
    )
    denoiser: NetworkSource | None = Field(None, description="a trained unconditional diffusion model")
    encoder: NetworkSource | None = Field(None, description="a run of ours whose frozen codes a decoder learns to draw")

    def sources(self) -> dict[str, NetworkSource]:
        """Those that are set, in the order in which they are made."""
        named = {"autoencoder": self.autoencoder, "denoiser": self.denoiser, "encoder": self.encoder}
        return {name: source for name, source in named.items() if source is not None}

    def networks(self) -> dict[str, NetworkSource]:
        """Those that are set and lie in diffusers' layout: all but the encoder, which is a run."""
        return {name: source for name, source in self.sources().items() if name != "encoder"}
