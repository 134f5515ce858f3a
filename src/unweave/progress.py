"""What long work tells while it goes on. This one is silent; the command line has one that draws a bar."""


class Progress:
    def begin(self, seen: int, images: int) -> None:
        """Work starts at `seen` of `images`."""

    def step(self, seen: int, terms: dict[str, float] | None) -> None:
        """`seen` images are done; loss terms now and then."""

    def say(self, text: str) -> None:
        """A message for the person who waits."""

    def end(self) -> None:
        """The work is over, or stops early."""
