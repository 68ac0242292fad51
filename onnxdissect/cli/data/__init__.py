"""``onnxdissect data``: look at data sets, check them, make and download them.

A command is a function of its name in one of these modules, ``import`` a room of several; `app` brings them
together in the order of the help text.
"""

from __future__ import annotations

import typer

from onnxdissect.cli.data import importing
from onnxdissect.cli.data.download import download
from onnxdissect.cli.data.join import join
from onnxdissect.cli.data.looking import check, info
from onnxdissect.cli.data.pack import pack
from onnxdissect.cli.data.tiny import tiny

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Look at data sets, check them, make and download them.")
for _command in (info, check, tiny, download, join, pack):
    app.command()(_command)
app.add_typer(importing.app, name="import")
