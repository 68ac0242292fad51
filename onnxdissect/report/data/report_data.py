"""The content of a report: records that the templates write pages from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from onnxdissect.report.data.facts import Fact, layer_facts, model_name, run_facts, section
from onnxdissect.report.data.photos import Photos
from onnxdissect.results.headline import advice, reliable_phrase
from onnxdissect.results.sweep import threshold_sweep
from onnxdissect.statistics.reliability import RARE

if TYPE_CHECKING:
    from onnxdissect.results import Dissection, LayerInfo, LayerSummary, ThresholdSweep, Unit

__all__ = [
    "Bar",
    "CategoryBars",
    "LayerBases",
    "LayerReport",
    "PageLink",
    "Report",
    "View",
    "category_colours",
    "gather_report",
]

# NetDissect's six categories have the same colour in every report; other categories take the remaining ones.
_COLOURS = {"object": 0, "part": 1, "scene": 2, "material": 3, "texture": 4, "color": 5}
_SPARE_COLOURS = range(6, 10)
# Layers under bases that have figures of their own: each takes seconds, and rotations are many.
_MOST_DRAWN = 6


@dataclass(frozen=True, slots=True)
class Bar:
    """A concept that a layer detects: a bar of the paper's figure.

    Attributes
    ----------
    concept : str
    units : tuple of int
        Its detectors, by falling IoU; never empty.
    anchor : str
        The part of the address behind ``#`` that makes the layer's page show these detectors.
    """

    concept: str
    units: tuple[int, ...]
    anchor: str


@dataclass(frozen=True, slots=True)
class CategoryBars:
    """The detected concepts of a category: neighbouring bars of one colour.

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
class View:
    """A layer at one quantile.

    Attributes
    ----------
    quantile : float
    index : int
        Position of the quantile in the run.
    summary : LayerSummary
        Units, detectors and unique detectors, as in ``layers.csv``.
    category_bars : tuple of CategoryBars
        One per category of the run in its order, also those without a detector.
    best : tuple of Unit
        The strongest detector of each concept, reliable ones first, by falling IoU.
    nearest : Unit or None
        The unit of highest IoU if none is a detector.
    """

    quantile: float
    index: int
    summary: LayerSummary
    category_bars: tuple[CategoryBars, ...]
    best: tuple[Unit, ...]
    nearest: Unit | None

    @property
    def unique(self) -> int:
        """Unique detectors."""
        return self.summary.unique_detectors

    @property
    def reliable(self) -> str:
        """How many detectors are reliable, in words; empty without a bootstrap or without detectors."""
        return reliable_phrase(self.summary)

    @property
    def rare(self) -> str:
        """How many of the detectors' labels are rare, as a sentence; empty if none is."""
        count = self.summary.rare_labels
        if not count:
            return ""
        return f"{count:,} of the labels {'stands' if count == 1 else 'stand'} in fewer than {RARE} images."

    @property
    def share(self) -> float:
        """Detectors per unit, in [0, 1]."""
        return self.summary.detectors / self.summary.units if self.summary.units else 0.0


@dataclass(frozen=True, slots=True)
class LayerReport:
    """A dissected layer.

    Attributes
    ----------
    info : LayerInfo
    page : str
        Address of its page, relative to the report's folder.
    facts : tuple of str
        Short statements about its shape and geometry.
    views : tuple of View
        One per quantile.
    """

    info: LayerInfo
    page: str
    facts: tuple[str, ...]
    views: tuple[View, ...]


@dataclass(frozen=True, slots=True)
class LayerBases:
    """A layer of the network, and the same layer under bases.

    Attributes
    ----------
    own : LayerReport
        The layer itself.
    under : tuple of LayerReport
        Under each of its bases, in the run's order; often empty.
    """

    own: LayerReport
    under: tuple[LayerReport, ...]


@dataclass(frozen=True, slots=True)
class PageLink:
    """A page about all layers, as the head of every page links it.

    Attributes
    ----------
    kinds : tuple of str
        Kinds of pages that belong to it, its own first.
    page : str
        Its address, relative to the report's folder.
    title : str
    """

    kinds: tuple[str, ...]
    page: str
    title: str


@dataclass(frozen=True, slots=True)
class Report:
    """The content of all pages, except what they show of single units.

    Attributes
    ----------
    title : str
        File name of the model.
    data : str
        Name of the data set, may be empty.
    facts : tuple of Fact
    warnings : tuple of str
        Warnings of the run, as in its manifest.
    advice : tuple of str
        Where few of its detectors are reliable, and what would help.
    categories : tuple of (str, int)
        Each with the number of its colour, in the run's order.
    quantiles : tuple of float
    iou_threshold : float
    scoring : str
    layers : tuple of LayerReport
        In the network's order.
    photos : Photos
        Which pictures there are.
    headlines : tuple of (LayerReport, View)
        Per quantile, the layer with most unique detectors; empty without layers.
    version : str
        Of this package, empty if the manifest does not say.
    sweep : ThresholdSweep or None
        How labels change with the quantile; None of a run at one.
    imported : bool
        Whether the results were published by others, and come without images.
    """

    title: str
    data: str
    facts: tuple[Fact, ...]
    warnings: tuple[str, ...]
    advice: tuple[str, ...]
    categories: tuple[tuple[str, int], ...]
    quantiles: tuple[float, ...]
    iou_threshold: float
    scoring: str
    layers: tuple[LayerReport, ...]
    photos: Photos
    headlines: tuple[tuple[LayerReport, View], ...]
    version: str
    sweep: ThresholdSweep | None = None
    imported: bool = False

    @property
    def has_reliability(self) -> bool:
        """Whether it is known which detectors are reliable."""
        views = (view for layer in self.layers for view in layer.views)
        return any(view.summary.reliable_detectors is not None for view in views)

    @property
    def groups(self) -> tuple[LayerBases, ...]:
        """The network's own layers, each with what it is under bases."""
        names = {layer.info.name for layer in self.layers}
        under: dict[str, list[LayerReport]] = {}
        own = []
        for layer in self.layers:
            name = layer.info.own_layer
            # where the layer itself is not part of the run, what it is under a basis stands for itself
            if name == layer.info.name or name not in names:
                own.append(layer)
            else:
                under.setdefault(name, []).append(layer)
        return tuple(LayerBases(layer, tuple(under.get(layer.info.name, ()))) for layer in own)

    @property
    def own_layers(self) -> tuple[LayerReport, ...]:
        """The network's own layers, without those under bases."""
        return tuple(group.own for group in self.groups)

    @property
    def drawn_layers(self) -> tuple[LayerReport, ...]:
        """Layers whose bars are drawn as figures: those under bases only where they are few."""
        own = self.own_layers
        return self.layers if len(self.layers) - len(own) <= _MOST_DRAWN else own

    @property
    def links(self) -> tuple[PageLink, ...]:
        """Pages about all layers, in the order in which every page links them."""
        bases = (PageLink(("bases", "basis"), "bases.html", "Bases"),)
        thresholds = (PageLink(("thresholds",), "thresholds.html", "Thresholds"),)
        return (
            *(bases if any(group.under for group in self.groups) else ()),
            PageLink(("concepts",), "concepts.html", "Concepts"),
            *(thresholds if self.sweep else ()),
        )


def gather_report(dissection: Dissection, photos: Photos | None = None) -> Report:
    """Gather the content of a report.

    Parameters
    ----------
    dissection : Dissection
    photos : Photos, optional
        What pictures there are; by default none.

    Returns
    -------
    Report
    """
    colours = category_colours(dissection.categories)
    summaries = {(s.layer, s.quantile): s for s in dissection.summary()}
    layers = tuple(_layer(dissection, info, summaries, colours) for info in dissection.layers)
    manifest = dissection.manifest
    return Report(
        title=model_name(manifest),
        data=str(section(manifest, "data").get("name", "")),
        facts=tuple(run_facts(dissection)),
        warnings=tuple(str(warning) for warning in manifest.get("warnings") or ()),
        advice=tuple(advice(dissection)),
        categories=tuple(colours.items()),
        quantiles=tuple(dissection.quantiles),
        iou_threshold=dissection.iou_threshold,
        scoring=dissection.scoring,
        layers=layers,
        photos=photos or Photos(),
        headlines=tuple(_headlines(layers, len(dissection.quantiles))),
        version=str(section(manifest, "versions").get("onnxdissect", "")),
        sweep=threshold_sweep(dissection) if len(dissection.quantiles) > 1 else None,
        imported=dissection.imported,
    )


def category_colours(categories: Iterable[str]) -> dict[str, int]:
    """Choose the colours of a run's categories.

    Parameters
    ----------
    categories : iterable of str
        In the run's order.

    Returns
    -------
    dict of str to int
        Number of each one's colour in the style sheet.
    """
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
) -> LayerReport:
    views = []
    for q, quantile in enumerate(dissection.quantiles):
        units = sorted(dissection.units(info.name, quantile), key=lambda unit: (-unit.iou, unit.unit))
        strongest: dict[str, Unit] = {}
        # High IoUs with rare concepts are often chance. What is shown first should hold on other images too.
        for unit in sorted(units, key=lambda unit: not unit.reliable):
            if unit.detector:
                strongest.setdefault(unit.label, unit)
        views.append(
            View(
                quantile=quantile,
                index=q,
                summary=summaries[info.name, quantile],
                category_bars=_category_bars(units, colours, q),
                best=tuple(strongest.values()),
                nearest=units[0] if units and not strongest and units[0].label else None,
            )
        )
    page = f"layers/{quote(info.slug)}.html"
    return LayerReport(info, page, tuple(layer_facts(info)), tuple(views))


def _headlines(layers: Sequence[LayerReport], quantiles: int) -> Iterable[tuple[LayerReport, View]]:
    for q in range(quantiles if layers else 0):
        # on a tie the network's deepest layer, as it is what most people look for
        layer = max(reversed(layers), key=lambda layer: (layer.views[q].unique, layer.info.basis is None))
        yield layer, layer.views[q]


def _category_bars(
    units: Sequence[Unit], colours: Mapping[str, int], quantile: int
) -> tuple[CategoryBars, ...]:
    """Group the detectors by concept and category, from units sorted by falling IoU."""
    members: dict[str, dict[str, list[int]]] = {category: defaultdict(list) for category in colours}
    for unit in units:
        if unit.detector:
            members[unit.category][unit.label].append(unit.unit)
    return tuple(
        CategoryBars(
            category,
            colours[category],
            tuple(
                Bar(concept, tuple(found), _anchor(concept, quantile))
                for concept, found in sorted(concepts.items(), key=lambda item: (-len(item[1]), item[0]))
            ),
        )
        for category, concepts in members.items()
    )


def _anchor(concept: str, quantile: int) -> str:
    # in quotes the page's search takes the name as a whole
    found = "find=" + quote(f'"{concept}"', safe="")
    return f"q={quantile}&{found}" if quantile else found
