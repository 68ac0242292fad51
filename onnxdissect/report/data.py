"""What the report says, gathered before any page is written."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from onnxdissect.report.facts import Fact, model_name, run_facts, section

if TYPE_CHECKING:
    from onnxdissect.results import Dissection, LayerInfo, LayerSummary, Unit

__all__ = [
    "PICTURES",
    "Bar",
    "Best",
    "Group",
    "LayerReport",
    "Report",
    "Sheets",
    "UnitCard",
    "View",
    "describe",
    "picture_path",
]

PICTURES = "units"  # the folder of all pictures, beside the page

# NetDissect's categories keep their colour from report to report; a user's own take what is left.
_COLOURS = {"object": 0, "part": 1, "scene": 2, "material": 3, "texture": 4, "color": 5}
_SPARE_COLOURS = range(6, 10)


@dataclass(frozen=True, slots=True)
class Bar:
    """A concept that a layer detects.

    Attributes
    ----------
    concept : str
    units : tuple of int
        Its detectors, by falling IoU; never empty.
    anchor : str
        Of the first one's card.
    """

    concept: str
    units: tuple[int, ...]
    anchor: str


@dataclass(frozen=True, slots=True)
class Group:
    """The detected concepts of a category.

    Attributes
    ----------
    category : str
    colour : int
        Number of its colour in the style sheet.
    bars : tuple of Bar
        By falling count of units, then by name.
    """

    category: str
    colour: int
    bars: tuple[Bar, ...]

    @property
    def unique(self) -> int:
        """Unique detectors of the category."""
        return len(self.bars)


@dataclass(frozen=True, slots=True)
class Best:
    """A unit's best concept of another category than its label's."""

    concept: str
    category: str
    iou: float


@dataclass(frozen=True, slots=True)
class UnitCard:
    """What the report shows of one unit at one quantile.

    Attributes
    ----------
    unit : int
        0-based.
    anchor : str
        Identifies the card on its page.
    label : str
        Empty if no concept overlaps the unit's masks.
    category : str
    colour : int or None
    iou : float
    share : float
        IoU relative to the view's highest, in [0, 1].
    detector : bool
    threshold : float
        T_k.
    silent : bool
        No mask of the unit holds a single pixel.
    others : tuple of Best
        Best concepts of the other categories, by falling IoU, none of IoU 0.
    picture : str or None
        Path of its sheet of top images, relative to the page.
    """

    unit: int
    anchor: str
    label: str
    category: str
    colour: int | None
    iou: float
    share: float
    detector: bool
    threshold: float
    silent: bool
    others: tuple[Best, ...]
    picture: str | None


@dataclass(frozen=True, slots=True)
class View:
    """A layer at one quantile.

    Attributes
    ----------
    quantile : float
    index : int
        Position of the quantile in the run.
    units, detectors, unique : int
        Units of the layer, how many of them are detectors, and of how many different concepts.
    groups : tuple of Group
        One per category of the run in its order, also those without a detector.
    mark : float
        The IoU threshold relative to the highest IoU, at most 1.
    cards : tuple of UnitCard
        The detectors, by falling IoU.
    rest : tuple of UnitCard
        All other units, by falling IoU.
    """

    quantile: float
    index: int
    units: int
    detectors: int
    unique: int
    groups: tuple[Group, ...]
    mark: float
    cards: tuple[UnitCard, ...]
    rest: tuple[UnitCard, ...]


@dataclass(frozen=True, slots=True)
class LayerReport:
    """A dissected layer.

    Attributes
    ----------
    name : str
        ONNX value name.
    alias, slug, op : str
    facts : tuple of str
        Short statements about its shape and geometry.
    views : tuple of View
        One per quantile.
    """

    name: str
    alias: str
    slug: str
    op: str
    facts: tuple[str, ...]
    views: tuple[View, ...]


@dataclass(frozen=True, slots=True)
class Sheets:
    """The pictures that lie beside the page: one sheet of top images per unit and quantile.

    Attributes
    ----------
    width, height : int
        Pixels of a sheet.
    images : int
        Top images per unit; 0 if there are no pictures.
    note : str
        What is missing and why, for the reader; empty if all is there.
    """

    width: int
    height: int
    images: int
    note: str

    @property
    def drawn(self) -> bool:
        """Whether there are pictures at all."""
        return self.images > 0


@dataclass(frozen=True, slots=True)
class Report:
    """Everything on the page.

    Attributes
    ----------
    title : str
        File name of the model.
    data : str
        Name of the data set, may be empty.
    facts : tuple of Fact
    warnings : tuple of str
        What the run had to say about itself.
    categories : tuple of (str, int)
        Each with the number of its colour, in the run's order.
    quantiles : tuple of float
    iou_threshold : float
    layers : tuple of LayerReport
        In the network's order.
    sheets : Sheets
    headlines : tuple of (LayerReport, View)
        Per quantile, the layer with most unique detectors; empty without layers.
    version : str
        Of this package, empty if the manifest does not say.
    """

    title: str
    data: str
    facts: tuple[Fact, ...]
    warnings: tuple[str, ...]
    categories: tuple[tuple[str, int], ...]
    quantiles: tuple[float, ...]
    iou_threshold: float
    layers: tuple[LayerReport, ...]
    sheets: Sheets
    headlines: tuple[tuple[LayerReport, View], ...]
    version: str


def picture_path(slug: str, unit: int, quantile: int) -> str:
    """Where a unit's sheet lies, relative to the page.

    Parameters
    ----------
    slug : str
        The layer's folder name, not a name from the model or the data.
    unit : int
        0-based.
    quantile : int
        Position of the quantile in the run.

    Returns
    -------
    str
        With forward slashes.
    """
    return f"{PICTURES}/{slug}/{unit}-q{quantile}.jpg"


def describe(dissection: Dissection, sheets: Sheets) -> Report:
    """Gather what the report says.

    Parameters
    ----------
    dissection : Dissection
    sheets : Sheets
        What was drawn.

    Returns
    -------
    Report
    """
    colours = _colours(dissection.categories)
    summaries = {(s.layer, s.quantile): s for s in dissection.summary()}
    layers = tuple(_layer(dissection, info, summaries, colours, sheets.drawn) for info in dissection.layers)
    manifest = dissection.manifest
    return Report(
        title=model_name(manifest),
        data=str(section(manifest, "data").get("name", "")),
        facts=tuple(run_facts(dissection)),
        warnings=tuple(str(warning) for warning in manifest.get("warnings") or ()),
        categories=tuple(colours.items()),
        quantiles=tuple(dissection.quantiles),
        iou_threshold=dissection.iou_threshold,
        layers=layers,
        sheets=sheets,
        headlines=tuple(_headlines(layers, len(dissection.quantiles))),
        version=str(section(manifest, "versions").get("onnxdissect", "")),
    )


def _colours(categories: Iterable[str]) -> dict[str, int]:
    colours: dict[str, int] = {}
    spare = 0
    for category in categories:
        if category in _COLOURS:
            colours[category] = _COLOURS[category]
        else:
            colours[category] = _SPARE_COLOURS[spare % len(_SPARE_COLOURS)]
            spare += 1
    return colours


def _layer(
    dissection: Dissection,
    info: LayerInfo,
    summaries: Mapping[tuple[str, float], LayerSummary],
    colours: Mapping[str, int],
    pictures: bool,
) -> LayerReport:
    silent = dissection.counts(info.name).activation_total == 0
    views = []
    for q, quantile in enumerate(dissection.quantiles):
        units = sorted(
            dissection.units(layer=info.name, quantile=quantile), key=lambda unit: (-unit.iou, unit.unit)
        )
        highest = units[0].iou if units else 0.0
        summary = summaries[info.name, quantile]
        cards = [
            UnitCard(
                unit=unit.unit,
                anchor=_anchor(info.slug, unit.unit, q),
                label=unit.label,
                category=unit.category,
                colour=colours.get(unit.category),
                iou=unit.iou,
                share=unit.iou / highest if highest > 0 else 0.0,
                detector=unit.detector,
                threshold=unit.threshold,
                silent=bool(silent[q, unit.unit]),
                others=_others(unit),
                picture=picture_path(info.slug, unit.unit, q) if pictures else None,
            )
            for unit in units
        ]
        views.append(
            View(
                quantile=quantile,
                index=q,
                units=summary.units,
                detectors=summary.detectors,
                unique=summary.unique_detectors,
                groups=_groups(units, colours, {card.unit: card.anchor for card in cards}),
                mark=min(dissection.iou_threshold / highest, 1.0) if highest > 0 else 1.0,
                cards=tuple(card for card in cards if card.detector),
                rest=tuple(card for card in cards if not card.detector),
            )
        )
    return LayerReport(info.name, info.alias, info.slug, info.op, tuple(_layer_facts(info)), tuple(views))


def _headlines(layers: Sequence[LayerReport], quantiles: int) -> Iterable[tuple[LayerReport, View]]:
    for q in range(quantiles if layers else 0):
        # on a tie the deepest layer, as it is what most people look for
        layer = max(reversed(layers), key=lambda layer: layer.views[q].unique)
        yield layer, layer.views[q]


def _anchor(slug: str, unit: int, quantile: int) -> str:
    return f"unit-{slug}-{unit}-q{quantile}"


def _groups(
    units: Sequence[Unit], colours: Mapping[str, int], anchors: Mapping[int, str]
) -> tuple[Group, ...]:
    """Bars of the paper's figure from units sorted by falling IoU."""
    members: dict[str, dict[str, list[int]]] = {category: defaultdict(list) for category in colours}
    for unit in units:
        if unit.detector:
            members[unit.category][unit.label].append(unit.unit)
    return tuple(
        Group(
            category,
            colours[category],
            tuple(
                Bar(concept, tuple(found), anchors[found[0]])
                for concept, found in sorted(concepts.items(), key=lambda item: (-len(item[1]), item[0]))
            ),
        )
        for category, concepts in members.items()
    )


def _others(unit: Unit) -> tuple[Best, ...]:
    found = [
        Best(concept, category, iou)
        for category, (concept, iou) in unit.best.items()
        if category != unit.category and iou > 0
    ]
    return tuple(sorted(found, key=lambda best: (-best.iou, best.category)))


def _layer_facts(info: LayerInfo) -> Iterable[str]:
    yield f"{info.units:,} units"
    yield f"{info.shape[0]} × {info.shape[1]} positions"
    if info.geometry:
        size = info.geometry.get("size")
        if isinstance(size, Sequence) and len(size) == 2:
            yield f"sees {size[0]:g} × {size[1]:g} pixels"
    yield f"upsampled by {info.upsample}"
