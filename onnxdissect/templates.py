"""How pages are made of templates: everything put into one is escaped, and a missing value is an error."""

from __future__ import annotations

from functools import lru_cache
from types import CodeType
from typing import Any

from jinja2 import BytecodeCache, Environment, PackageLoader, StrictUndefined
from jinja2.bccache import Bucket

__all__ = ["render"]


class _Compiled(BytecodeCache):
    """The code of templates, kept by the process: pages share them, and compiling is most of it."""

    def __init__(self) -> None:
        self._codes: dict[tuple[str, str], CodeType | None] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        # The checksum is that of the source, so code of another source is never taken.
        bucket.code = self._codes.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._codes[bucket.key, bucket.checksum] = bucket.code


@lru_cache(maxsize=1)
def _compiled() -> _Compiled:
    return _Compiled()


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
        bytecode_cache=_compiled(),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # As globals they are known to macros too, which do not see what is given to one template.
    environment.globals.update(content)
    return environment.get_template(name).render()
