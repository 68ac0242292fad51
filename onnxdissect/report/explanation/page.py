"""``index.html`` of a folder of explanations, and the folder ``page`` beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onnxdissect.errors import ParameterError
from onnxdissect.experiments.explanation.formats.folder import INDEX, PAGE, list_page_files
from onnxdissect.experiments.explanation.formats.segments import LEGENDS, legend_record, write_legends
from onnxdissect.experiments.explanation.formats.stored import RESULT
from onnxdissect.experiments.explanation.formats.wording import DEFINITIONS, SHARES, attribution_name
from onnxdissect.experiments.explanation.segments import RULE, segment_by_units
from onnxdissect.report.data.facts import Fact
from onnxdissect.report.data.report_data import category_colours
from onnxdissect.report.explanation.pictures import overlay_record, write_photo
from onnxdissect.report.explanation.views import ExplanationView, choices, explanation_view
from onnxdissect.report.figures.explanation import FORMATS, figure_name
from onnxdissect.report.figures.explanation.segments import map_name, painted_name
from onnxdissect.report.pages.addresses import relative_address
from onnxdissect.report.pages.rendering import copy_assets
from onnxdissect.report.pages.replacing import replacing_folder
from onnxdissect.report.pages.scripts import write_script
from onnxdissect.results import load
from onnxdissect.storage.disk import write_error
from onnxdissect.storage.files import make_folder, write_text
from onnxdissect.storage.memory import explained_memory
from onnxdissect.templates import render

if TYPE_CHECKING:
    from onnxdissect.experiments.explanation import Explanation
    from onnxdissect.results import Dissection

__all__ = ["ExplanationPage", "build_explanations"]

_ASSETS = ("report.css", "shared.js", "explanation/explanation.css", "explanation/explanation.js")


@dataclass(frozen=True, slots=True)
class _Source:
    """What is alike in all explanations of a call."""

    model: str
    facts: tuple[Fact, ...]
    colours: dict[str, int]
    report: str
    cards: str


@dataclass(slots=True)
class ExplanationPage:
    """A page that takes one explanation after another, so that no more than one has to be held.

    Attributes
    ----------
    folder : Path
        Where ``index.html`` is put. Figures of `draw_explanation` that lie there once the page is written are
        shown and linked to, as is ``explanation.json``.
    files : Path
        Folder of the files that the page reads. It is there, and empty.
    count : int
        How many explanations there will be.
    run : Dissection or None
        The run that labelled the units; None: read from where the explanations say it is.
    """

    folder: Path
    files: Path
    count: int
    run: Dissection | None = None
    _source: _Source | None = None
    _views: list[ExplanationView] = field(default_factory=list)
    _legends: list[dict[str, Any]] = field(default_factory=list)
    _definitions: dict[str, str] = field(default_factory=dict)

    def add(self, explanation: Explanation) -> None:
        """Write the pictures of an explanation, and keep what is said of it.

        Parameters
        ----------
        explanation : Explanation
            Of the same call as those before.
        """
        if self._source is None:
            self._source = _source(explanation, self.run, self.folder)
        number = len(self._views) + 1
        size = write_photo(explanation.pixels, number, self.files)
        record = overlay_record(explanation, number, size)
        write_script(self.files / "images" / f"{number}.js", "dissect.image", (number, record))
        segments = segment_by_units(explanation)
        figure = figure_name(number, self.count, explanation.image)
        self._legends.append(legend_record(explanation.image, map_name(figure), segments))
        self._definitions.setdefault(attribution_name(explanation), DEFINITIONS[explanation.attribution])
        self._views.append(
            explanation_view(
                explanation, segments, number, (figure, size), self._source.colours, self._source.cards
            )
        )

    def write(self) -> Path:
        """Write the page of what was added.

        Returns
        -------
        Path
            ``index.html``.

        Raises
        ------
        ParameterError
            If nothing was.
        """
        if self._source is None:
            raise ParameterError("there is no explanation to make a page of")
        copy_assets(self.files, _ASSETS)
        list_page_files(self.files)
        write_legends(self._legends, self.folder)
        text = render("onnxdissect.report", "explanation/index.html.j2", self._content(self._source))
        write_text(self.folder / INDEX, text)
        return self.folder / INDEX

    def _content(self, source: _Source) -> dict[str, Any]:
        views = self._views
        classes, concepts, units = choices(views)
        held = {path.name for path in self.folder.iterdir()}
        attributions = ", ".join(self._definitions)
        return {
            "root": f"{PAGE}/",
            "title": f"Predictions of {Path(source.model).name}",
            "views": views,
            "classes": classes,
            "concepts": concepts,
            "units": units,
            "facts": [
                Fact("Predictions", f"{len(views):,}"),
                *source.facts,
                Fact("Attribution", attributions),
            ],
            "definitions": self._definitions,
            "shares": SHARES,
            "rule": RULE,
            "reliability": any(unit.reliable is not None for view in views for unit in view.units),
            "report": source.report,
            "downloads": {view.figure: _figures(view.figure, held) for view in views},
            "map_name": map_name,
            "has_map": {view.figure for view in views if map_name(view.figure) in held},
            "files": [name for name in (RESULT, LEGENDS) if name in held],
        }


def _figures(name: str, held: set[str]) -> list[tuple[str, str]]:
    """Say what figures there are of an image."""
    known = (
        *((form.upper(), f"{name}.{form}") for form in FORMATS),
        *((f"painted {form.upper()}", f"{painted_name(name)}.{form}") for form in FORMATS),
        ("numbers of concepts", map_name(name)),
    )
    return [(said, path) for said, path in known if path in held]


def _source(one: Explanation, run: Dissection | None, folder: Path) -> _Source:
    dissection = load(one.run) if run is None else run
    report = Path(dissection.path) / "report"
    page = report / "layers" / f"{dissection.layer(one.layer).slug}.html"
    index = cards = ""
    if page.is_file():
        place = dissection.quantiles.index(one.quantile)
        view = f"q={place}&" if place else ""
        index = relative_address(report / "index.html", folder)
        cards = f"{relative_address(page, folder)}#{view}unit="
    facts = (
        Fact("Layer", one.alias, f"value {one.layer}" if one.alias != one.layer else ""),
        Fact("Labels of", one.run, f"quantile {one.quantile:g}"),
    )
    return _Source(one.model, facts, category_colours(dissection.categories), index, cards)


@explained_memory()
def build_explanations(
    explanations: Sequence[Explanation], folder: str | Path, *, run: Dissection | None = None
) -> Path:
    """Write the page of explanations.

    Parameters
    ----------
    explanations : sequence of Explanation
        Of one call.
    folder : str or Path
        Where it is put; made if it does not exist. Figures of `draw_explanations` that lie there are shown
        and linked to.
    run : Dissection, optional
        The run that labelled the units; by default read from where the explanations say it is.

    Returns
    -------
    Path
        ``index.html``, which opens from disk and reads the folder ``page`` beside it. Units are linked to
        their cards in the report of the run, if that was built. ``segments.json`` lies beside it.

    Raises
    ------
    ParameterError
        If there are no explanations.
    OutputError
        If the page cannot be written.
    RunFormatError
        If the run is not where the explanations say it is.
    """
    target = make_folder(Path(folder))
    try:
        with replacing_folder(target / PAGE) as partial:
            page = ExplanationPage(target, partial, len(explanations), run)
            for one in explanations:
                page.add(one)
            return page.write()
    except OSError as error:
        raise write_error(target, error, doing=f"write the page of explanations {target / INDEX}") from error
