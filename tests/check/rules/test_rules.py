"""The rules of the check: all are in the one list, and go by settings that there are."""

from __future__ import annotations

from dataclasses import fields
from importlib import import_module
from pkgutil import iter_modules

import pytest

from onnxdissect.check.rules import entries
from onnxdissect.check.rules.config import Config
from onnxdissect.check.rules.config_file import parse_config
from onnxdissect.check.rules.rule import Rule
from onnxdissect.check.rules.rules import RULES, rule_named


def test_every_rule_that_is_written_is_applied() -> None:
    written = []
    for module in iter_modules(entries.__path__, f"{entries.__name__}."):
        written += [value for value in vars(import_module(module.name)).values() if isinstance(value, Rule)]
    assert sorted(rule.name for rule in RULES) == sorted(rule.name for rule in written)
    assert all(rule_named(rule.name) is rule for rule in written)


def test_settings_are_a_rules_or_of_all() -> None:
    named = {setting.split(".")[0].replace("-", "_") for rule in RULES for setting in rule.settings}
    assert named | {"levels", "data"} == {field.name for field in fields(Config)}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_stated_level_replaces_the_rules_own(rule: Rule) -> None:
    assert rule.finding_level(Config()) == rule.level
    assert Config().on(rule.name)
    if rule.fixed:
        return
    for level in ("error", "warning"):
        assert rule.finding_level(parse_config({"levels": {rule.name: level}}, "here")) == level
    assert not parse_config({"levels": {rule.name: "off"}}, "here").on(rule.name)
