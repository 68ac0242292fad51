"""How pages are made of templates: everything put into one is escaped, and a missing value is an error."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

__all__ = ["render"]


def render(package: str, name: str, content: dict[str, Any]) -> str:
    """Fill a template.

    Parameters
    ----------
    package : str
        The package in whose folder ``templates`` it lies; it may include others from there.
    name : str
        Its file.
    content : dict
        Values and functions by the names that the template and those it includes have for them.

    Returns
    -------
    str
        HTML.
    """
    environment = Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # As globals they are known to macros too, which do not see what is given to one template.
    environment.globals.update(content)
    return environment.get_template(name).render()
