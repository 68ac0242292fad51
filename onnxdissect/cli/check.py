"""``onnxdissect check``."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from onnxdissect.cli import options
from onnxdissect.cli.printing.console import log
from onnxdissect.errors import OnnxDissectError, OutputError, ParameterError

if TYPE_CHECKING:
    from onnxdissect.check.rules.config import Config
    from onnxdissect.check.verdict import Verdict

__all__ = ["check"]

_FAILED = 1


def check(
    model: Annotated[
        list[Path] | None,
        typer.Argument(metavar="MODEL", help="The candidate, an ONNX file; several are checked in turn."),
    ] = None,
    baseline: Annotated[
        Path | None, typer.Option(metavar="RUN|FILE", help="A run directory or a baseline.json.")
    ] = None,
    against: Annotated[
        Path | None, typer.Option(metavar="MODEL", help="Another ONNX file, dissected first.")
    ] = None,
    data: Annotated[
        str | None, typer.Option(metavar=options.DATA, help="Where the baseline's data lies.")
    ] = None,
    layer: Annotated[
        list[str] | None,
        typer.Option(metavar="SEL", help="With --against: layers as in run, by default stages; repeatable."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(metavar="N", help="With --against: only the first so many images.")
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="imagenet, caffe, tf, unit, raw or clip; with --against for both models. "
            "By default as for the baseline.",
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Rules; by default onnxdissect.toml, else pyproject.toml."),
    ] = None,
    write_baseline: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write --baseline RUN as a file to commit, and stop.")
    ] = None,
    init: Annotated[
        bool, typer.Option("--init", help="Write a commented onnxdissect.toml from --baseline, and stop.")
    ] = False,
    image_size: options.ImageSize = None,
    bind: options.Bind = None,
    layout: options.Layout = None,
    custom_ops: options.CustomOps = None,
    probe_timeout: options.ProbeTimeout = None,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Write JUnit XML.")] = None,
    sarif: Annotated[Path | None, typer.Option(metavar="FILE", help="Write SARIF 2.1.0.")] = None,
    markdown: Annotated[Path | None, typer.Option(metavar="FILE", help="Write Markdown.")] = None,
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a page with the changed units before and after."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Test whether a model still detects what its baseline detected; exit code 1 if it does not."""
    from onnxdissect.check.gate import ModelOptions
    from onnxdissect.cli.printing.verdicts import annotate_error

    models = model or []
    outputs = {"--junit": junit, "--sarif": sarif, "--markdown": markdown, "--html": html}
    asked = {option: path for option, path in outputs.items() if path is not None}
    try:
        reference = _reference(baseline, against)
        if write_baseline is not None or init:
            idle = {
                **{"--data": data, "--layer": layer, "--limit": limit, "--preset": preset},
                **{
                    "--image-size": image_size,
                    "--bind": bind,
                    "--layout": layout,
                    "--custom-ops": custom_ops,
                    "--probe-timeout": probe_timeout,
                },
                **{"--config": None if init else config, "--json": as_json or None},
            }
            given = [*asked, *(option for option, value in idle.items() if value is not None)]
            _refuse_models(models, given, write_baseline, init)
            if baseline is None:
                raise ParameterError(
                    f"{'--init' if init else '--write-baseline'} takes its figures from --baseline",
                    hint="--baseline RUN",
                )
            if write_baseline is not None:
                _write_baseline(baseline, write_baseline)
            else:
                _write_rules(baseline, config)
            return
        if not models:
            raise ParameterError(
                "check takes the model to be checked, and none was given",
                hint="onnxdissect check MODEL --baseline ...",
            )
        if len(models) > 1 and (asked or as_json):
            raise ParameterError(
                f"{', '.join([*asked, *(['--json'] if as_json else [])])}: of one model at a time, "
                f"not of {len(models)}",
                hint="a command for each model",
            )
        _refuse_outputs(asked, {"MODEL": models[0], "the baseline": reference, "--config": config})
        reading = ModelOptions(
            image_size=options.image_size(image_size),
            bind=options.bindings(bind),
            layouts=options.layouts(layout),
            custom_ops=custom_ops or (),
            probe_timeout=options.probe_timeout(probe_timeout),
        )
        how: dict[str, Any] = {"data": data, "options": reading, "layers": layer or ()}
        how |= {"limit": limit, "preset": preset}
        rules = _read_rules(config)
        verdicts = [_check_one(file, reference, rules, how, asked, as_json) for file in models]
    except OnnxDissectError as error:
        annotate_error(error)
        raise
    if not all(verdict.passed for verdict in verdicts):
        raise typer.Exit(_FAILED)


def _reference(baseline: Path | None, against: Path | None) -> Path:
    """Give what the models are compared with."""
    if baseline is not None and against is not None:
        raise ParameterError("a check takes --baseline or --against, not both")
    if baseline is not None:
        if baseline.suffix == ".onnx":
            raise ParameterError(
                f"--baseline takes a run directory or a baseline file, not the model {baseline}",
                hint=f"--against {baseline}",
            )
        return baseline
    if against is None:
        raise ParameterError("a check takes --baseline or --against", hint="--baseline baseline.json")
    if against.suffix != ".onnx":
        raise ParameterError(
            f"--against takes another ONNX file, not {against}", hint=f"--baseline {against}"
        )
    return against


def _refuse_models(models: Sequence[Path], asked: Sequence[str], target: Path | None, init: bool) -> None:
    if target is not None and init:
        raise ParameterError("--write-baseline and --init are two commands", hint="one after the other")
    if models or asked:
        option = "--init" if init else "--write-baseline"
        found = ", ".join([*map(str, models), *asked])
        raise ParameterError(f"{option} checks no model, and takes no {found}", hint="one after the other")


def _write_baseline(run: Path, target: Path) -> None:
    from onnxdissect.check.baseline.file import open_baseline, write_baseline

    snapshot = open_baseline(run)
    replaced = target.is_file()
    size = write_baseline(target, snapshot)
    console = log()
    console.print(f"{'replaced' if replaced else 'wrote'} {target}: {size:,} bytes", markup=False)
    if any(layer.per_image is None for layer in snapshot.layers):
        console.print(
            "it has no counts by image (--bootstrap 0): losses cannot be tested against it", markup=False
        )


def _write_rules(baseline: Path, config: Path | None) -> None:
    from onnxdissect.check.baseline.file import open_baseline
    from onnxdissect.check.rules.config_file import find_config
    from onnxdissect.check.rules.init import first_config
    from onnxdissect.storage.files import utf8, write_output

    target = config or Path("onnxdissect.toml")
    if target.exists():
        raise ParameterError(f"{target} exists already", hint="--config with another name, or remove it")
    found = find_config()
    if config is None and found is not None:
        raise ParameterError(
            f"{found} has rules already, which {target} would hide",
            hint=f"remove the table [tool.onnxdissect.check] from {found}",
        )
    write_output(target, utf8(first_config(open_baseline(baseline))))
    log().print(f"wrote {target}", markup=False)


def _read_rules(config: Path | None) -> Config:
    from onnxdissect.check.rules.config_file import find_config, read_config

    path = config or find_config()
    rules = read_config(path)
    told = "the defaults; check --init writes a file of them" if path is None else path
    log().print(f"rules: {told}", markup=False)
    return rules


def _refuse_outputs(asked: Mapping[str, Path], inputs: Mapping[str, Path | None]) -> None:
    """Refuse output files that cannot be written, before any model is run."""
    from onnxdissect.storage.files import make_folder

    taken = {path.resolve(): name for name, path in inputs.items() if path is not None}
    for option, path in asked.items():
        place = path.resolve()
        if place in taken:
            raise ParameterError(f"{option} {path} would overwrite {taken[place]}", hint="another file")
        taken[place] = option
        if path.is_dir():
            raise OutputError(f"{option}: {path} is a folder", hint=f"{option} {path / 'check.out'}")
    for option, path in asked.items():
        make_folder(path.parent)
        if not os.access(path.parent, os.W_OK):
            raise OutputError(f"{option}: the folder {path.parent} cannot be written")


def _check_one(
    model: Path,
    reference: Path,
    rules: Config,
    how: Mapping[str, Any],
    asked: Mapping[str, Path],
    as_json: bool,
) -> Verdict:
    from onnxdissect.check.gate import check_model
    from onnxdissect.check.outputs.github import escape_commands
    from onnxdissect.check.outputs.junit import junit
    from onnxdissect.check.outputs.markdown import markdown
    from onnxdissect.check.outputs.sarif import sarif
    from onnxdissect.cli.printing.progress import open_progress
    from onnxdissect.cli.printing.verdicts import repository, show_verdict
    from onnxdissect.storage.files import utf8, write_output

    console = log()

    def say(line: str) -> None:
        console.print(escape_commands(line), markup=False)

    progress = open_progress(console)
    try:
        verdict = check_model(
            model, reference, rules, page=asked.get("--html"), progress=progress, notify=say, **how
        )
    finally:
        progress.close()
    texts = {
        "--junit": lambda: junit(verdict),
        "--sarif": lambda: sarif(verdict, repository()),
        "--markdown": lambda: markdown(verdict),
    }
    written = {option: texts[option]() for option in asked if option in texts}
    for option, text in written.items():
        write_output(asked[option], utf8(text))
    show_verdict(verdict, as_json=as_json)
    for statement in verdict.statements:
        say(statement)
    return verdict
