"""unweave demo"""

from pathlib import Path
from typing import Annotated

import typer

from unweave.cli import output as out


def command(
    name: Annotated[str | None, typer.Argument(help="a demonstration; without one, they are listed")] = None,
    seed: Annotated[int, typer.Option(min=0, help="of the weights, the data and the noise")] = 0,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="the picture to write; demos/NAME.png if not given")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace a picture that is there")] = False,
    small: Annotated[
        bool, typer.Option("--small", help="in seconds, on fewer images: the same claim, a rougher figure")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="print as JSON")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="no progress on stderr")] = False,
) -> None:
    """Show a paper in minutes: its claim, measured with the method and with the method's own term switched off.

    \b
        unweave demo                     what there is to show, and what each claims
        unweave demo vae --small         in seconds, a rougher figure
        unweave demo vae                 train on images drawn for it, print the numbers, save one picture

    Nothing is downloaded and no run is kept. The exit status is 1 where the claim does not hold.
    """
    from unweave.demos import _demonstration as demonstrations

    if name is None:
        claims = demonstrations.claims()
        if json:
            out.print_json(claims)
        else:
            width = max(map(len, claims))
            print("\n".join(f"{known:{width}}  {claim}" for known, claim in claims.items()))
        return
    with out.progress_of(quiet):
        shown = demonstrations.demonstrate(name, seed=seed, small=small, output=output, overwrite=overwrite)
    if json:
        out.print_json(shown.to_json())
    else:
        from unweave.cli import tables

        print(f"{shown.claim}\n{shown.paper}")
        out.print_table(tables.demonstration_table(shown))
        print(f"control: {shown.control_is}")
        print(f"the claim {'holds' if shown.holds else 'DOES NOT hold'}; {shown.seconds:.0f} s; {shown.picture}")
    raise typer.Exit(0 if shown.holds else 1)
