"""Make `docs/findings.md` and its figures of the tables: `python models/findings/figures.py`.

Nothing is trained or dissected. The text is `page/findings.md.jinja`, which holds no number of ours.
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from page.answers import answers
from page.drawings import Answers, draw_all
from page.estimates import Estimate
from page.evidence import Evidence, MissingNetworksError

from onnxdissect.errors import OnnxDissectError

__all__ = ["PAGE", "text_of"]

# as it was typed, so that a page goes beside the folder of models that it was asked of
HERE = Path(__file__).absolute().parent
PAGE = HERE.parents[1] / "docs" / "findings.md"


def _number(value: float, digits: int = 1, sign: str = "") -> str:
    # a minus before zero says nothing
    return f"{round(value, digits) + 0.0:{sign}.{digits}f}"


def _count(estimate: Estimate) -> str:
    """Tell a mean and its interval."""
    return f"{_number(estimate.value)} ({_number(estimate.low)} to {_number(estimate.high)})"


def _difference(estimate: Estimate) -> str:
    """Tell a difference of counts with its sign, and each seed's."""
    seeds = ", ".join(_number(value, 0, "+") for value in estimate.seeds)
    ends = f"{_number(estimate.low)} to {_number(estimate.high)}"
    return f"{_number(estimate.value, 1, '+')} ({ends}; seeds {seeds})"


def _percent(estimate: Estimate) -> str:
    """Tell a share and its interval."""
    low, high = (_number(100 * end, 0) for end in (estimate.low, estimate.high))
    return f"{_number(100 * estimate.value, 0)} % ({low} to {high})"


def _points(estimate: Estimate) -> str:
    """Tell a difference of shares in percentage points, and each seed's."""
    seeds = ", ".join(_number(100 * value, 0, "+") for value in estimate.seeds)
    low, high = (_number(100 * end, 0) for end in (estimate.low, estimate.high))
    return f"{_number(100 * estimate.value, 0, '+')} points ({low} to {high}; seeds {seeds})"


def _change(estimate: Estimate, unit: str) -> str:
    """Tell a difference of two networks, in per cent or points, with its sign."""
    low, high = (_number(100 * end, 0) for end in (estimate.low, estimate.high))
    return f"{_number(100 * estimate.value, 0, '+')} {unit} ({low} to {high})"


def _mean(values: tuple[float, ...], digits: int = 2) -> str:
    """Tell a mean and what it is of."""
    every = ", ".join(_number(value, digits) for value in values)
    return f"{_number(math.fsum(values) / len(values), digits)} ({every})"


def _chance(value: float) -> str:
    """Tell a p-value."""
    return f"{value:.2g}" if value >= 0.0001 else "less than 0.0001"


def _hundred(value: float) -> str:
    """Tell a share in per cent."""
    return f"{_number(100 * value, 0)} %"


def _thousands(value: int) -> str:
    """Tell a whole number, with commas."""
    return f"{value:,}"


def text_of(told: Answers) -> str:
    """Put the numbers into the text.

    Parameters
    ----------
    told : mapping
        As `answers.answers` gives them.

    Returns
    -------
    str
        Of ``docs/findings.md``.
    """
    environment = Environment(
        loader=FileSystemLoader(HERE / "page"),
        undefined=StrictUndefined,
        autoescape=False,  # the page is Markdown
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters = (_chance, _change, _count, _difference, _hundred, _mean, _number, _percent, _points, _thousands)
    environment.filters.update({function.__name__.removeprefix("_"): function for function in filters})
    return environment.get_template("findings.md.jinja").render(told)


def main() -> None:
    """Write the page and its figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tables", type=Path, default=HERE / "tables", help="of train.py")
    parser.add_argument(
        "--page", type=Path, default=PAGE, help="figures go into a folder of its name beside it"
    )
    options = parser.parse_args()
    if options.page.suffix != ".md" or options.page.is_dir():
        parser.error(f"--page {options.page} is no Markdown file to be written: a name that ends in .md")
    try:
        told = answers(Evidence(options.tables))
    except MissingNetworksError as error:
        sys.exit(str(error))
    except OnnxDissectError as error:
        sys.exit(f"{error.message}; python models/findings/train.py makes tables")
    text = text_of(told)
    draw_all(told, options.page.with_suffix(""))
    options.page.write_text(text, encoding="utf-8", newline="\n")
    print(options.page)


if __name__ == "__main__":
    main()
