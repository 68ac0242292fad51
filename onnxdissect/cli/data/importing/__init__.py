"""``onnxdissect data import``: other data sets in the Broden layout, one file a format.

A command is a function of its format's name, which reads the format. `shared` adds what all formats have:
where to, the options of writing, and what is printed.
"""

from __future__ import annotations

import typer

from onnxdissect.cli.data.importing.ade20k import ade20k
from onnxdissect.cli.data.importing.camvid import camvid
from onnxdissect.cli.data.importing.cityscapes import cityscapes
from onnxdissect.cli.data.importing.coco import coco
from onnxdissect.cli.data.importing.cvat import cvat
from onnxdissect.cli.data.importing.folders import folders
from onnxdissect.cli.data.importing.labelme import labelme
from onnxdissect.cli.data.importing.masks import masks
from onnxdissect.cli.data.importing.segmenter import segmenter
from onnxdissect.cli.data.importing.shared import import_command
from onnxdissect.cli.data.importing.voc import voc

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Write another data set in the Broden layout.")
for _format in (masks, folders, voc, ade20k, coco, camvid, cityscapes, labelme, cvat, segmenter):
    app.command()(import_command(_format))
