"""The ready pieces: the steps of the action, the pre-commit hook, the pytest plugin, the recipe for make."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import platformdirs
import pytest
from support.checking import MODEL, ROOT, Said, environment, make_baseline, make_run, weights
from support.report_formats import junit_faults, sarif_faults

pytest_plugins = ["pytester"]
CACHE = platformdirs.user_cache_dir()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a baseline, a network that keeps to it, and one that does not."""
    folder = tmp_path_factory.mktemp("pieces")
    make_baseline(make_run(folder, 24))
    (folder / "good.onnx").symlink_to(MODEL)
    weights(folder / "zeroed.onnx", "zeroed")
    return folder


def shell(script: str, cwd: Path, **variables: str) -> Said:
    """Run a script as a step of a workflow is run."""
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", script],
        cwd=cwd,
        env=environment(**variables),
        capture_output=True,
        text=True,
        check=False,
    )
    return Said(done.returncode, done.stdout, done.stderr)


class Action:
    """What ``action.yml`` says, read by its shape."""

    def __init__(self) -> None:
        text = (ROOT / "action.yml").read_text(encoding="utf-8")
        inputs, _, rest = text.partition("\noutputs:\n")
        outputs, _, steps = rest.partition("\nruns:\n")
        self.inputs = dict(
            re.findall(r"^  (\w+):\n    description: .*\n    default: (.*)\n", inputs + "\n", re.M)
        )
        self.required = re.findall(r"^  (\w+):\n    description: .*\n    required: true\n", inputs, re.M)
        self.outputs = re.findall(r"value: \$\{\{ steps\.check\.outputs\.(\w+) \}\}", outputs)
        self.steps = re.split(r"^    - name: ", steps, flags=re.M)[1:]

    def run(self, step: str, cwd: Path, action_path: str = "", **given: str) -> tuple[Said, dict[str, str]]:
        """Run a step with inputs; give how it ended and its outputs."""
        (text,) = (text for text in self.steps if text.startswith(f"{step}\n"))
        assert "shell: bash\n" in text
        script = re.search(r"run: \|\n((?: {8}.*\n| *\n)+)", text)
        assert script is not None
        assert "${{" not in script[1], "an expression in a script is replaced before the shell reads it"
        values = {name: default.strip('"') for name, default in self.inputs.items()} | given
        variables = {}
        for name, source, key in re.findall(r"^        (\w+): \$\{\{ (\w+)\.(\w+) \}\}$", text, re.M):
            variables[name] = {"inputs": values.get(key, ""), "github": action_path}[source]
        told = cwd / "output.txt"
        told.write_text("", encoding="utf-8")
        said = shell(
            script[1],
            cwd,
            **variables,
            GITHUB_ACTIONS="true",
            GITHUB_OUTPUT=str(told),
            GITHUB_STEP_SUMMARY=str(cwd / "summary.md"),
            GITHUB_WORKSPACE=str(cwd),
        )
        lines = told.read_text(encoding="utf-8").splitlines()
        return said, dict(line.split("=", 1) for line in lines)


def test_the_action_reads_as_it_is_written() -> None:
    action = Action()
    assert action.required == ["model"]
    assert set(action.inputs) == {"baseline", "config", "data", "arguments", "folder", "install"}
    assert action.outputs == ["outcome", "junit", "sarif", "markdown", "html"]
    assert [step.partition("\n")[0] for step in action.steps] == ["install", "check"]


def test_the_action_checks(home: Path, tmp_path: Path) -> None:
    action = Action()
    given = {"baseline": str(home / "baseline.json")}
    said, told = action.run("check", tmp_path, model=str(home / "good.onnx"), **given)
    assert said.code == 0, said.out + said.err
    assert told == {"outcome": "passed"} | {
        name: f"dissection/dissection.{ending}"
        for name, ending in (("junit", "xml"), ("sarif", "sarif"), ("markdown", "md"), ("html", "html"))
    }
    assert "::" not in said.out
    said, told = action.run("check", tmp_path, model=str(home / "zeroed.onnx"), **given)
    assert said.code == 1, said.out + said.err
    assert told["outcome"] == "failed"
    assert re.search(r"^::error title=onnxdissect labels", said.out, re.M)
    assert junit_faults((tmp_path / told["junit"]).read_text(encoding="utf-8")) == []
    summary = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert summary.count("### onnxdissect check ") == 2, "a summary is added to"
    assert summary.endswith((tmp_path / told["markdown"]).read_text(encoding="utf-8") + "\n")
    said, told = action.run("check", tmp_path, model="absent.onnx", **given)
    assert said.code == 2
    assert told == {"outcome": "error"}, "files of an earlier check are none of this one"
    assert "::error title=onnxdissect check::there is no model at absent.onnx" in said.err


def test_the_action_takes_its_inputs_as_they_are(home: Path, tmp_path: Path) -> None:
    action = Action()
    odd = "-a b; touch hit $(touch hit) `touch hit` '\"&.onnx"
    (tmp_path / odd).symlink_to(MODEL)
    (tmp_path / "my rules.toml").write_text('[levels]\nlabels = "off"\n', encoding="utf-8")
    said, told = action.run(
        "check",
        tmp_path,
        model=odd,
        baseline=str(home / "baseline.json"),
        config="my rules.toml",
        data="tiny",
        folder="an odd $(touch hit) folder",
        arguments="--image-size\n112x112\n\n",
    )
    assert said.code == 0, said.out + said.err
    assert "rules: my rules.toml" in said.err
    assert told["junit"] == "an odd $(touch hit) folder/dissection.xml"
    assert (tmp_path / told["sarif"]).is_file()
    arguments = "--bind\nabsent=$(touch hit)"
    said, told = action.run(
        "check", tmp_path, model=odd, baseline=str(home / "baseline.json"), arguments=arguments
    )
    assert said.code == 2
    assert "the model has no input 'absent' to bind" in said.err
    assert not (tmp_path / "hit").exists()


def test_the_action_installs(tmp_path: Path) -> None:
    # pip itself is installed already wherever it runs: nothing is fetched.
    said, _ = Action().run("install", tmp_path, action_path="pip")
    assert said.code == 0, said.err
    assert "already satisfied: pip" in said.out
    said, _ = Action().run("install", tmp_path, install="pip", action_path="/nowhere")
    assert said.code == 0, said.err
    said, _ = Action().run("install", tmp_path, install="./no such; touch hit")
    assert said.code != 0
    assert not (tmp_path / "hit").exists()


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def test_the_page_tells_all_of_the_action() -> None:
    action = Action()
    told = dict(re.findall(r"^\| `(\w+)` \| (?:`(.*)` )?\| ", page("ci.md"), re.M))
    defaults = {name: value.strip('"') for name, value in action.inputs.items()}
    assert told == {"model": ""} | defaults
    outputs = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| [^|]+ \|$", page("ci.md"), re.M)
    assert re.findall(r"\w+", " ".join(outputs)) == action.outputs


def hook(name: str) -> str:
    text = (ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8")
    (found,) = re.findall(rf"^  {name}: (.*)$", text, re.M)
    return str(found)


def test_the_hook_checks_every_file_that_changed(home: Path) -> None:
    pattern = hook("files")
    assert re.search(pattern, "export/model.onnx")
    assert not re.search(pattern, "export/model.onnx.md")
    assert hook("require_serial") == "true"
    # As pre-commit does: the entry, the user's arguments, the files.
    entry = shlex.split(hook("entry"))
    for files, code in (
        (["good.onnx"], 0),
        (["zeroed.onnx", "good.onnx"], 1),
        (["good.onnx", "absent.onnx"], 2),
    ):
        said = shell(shlex.join([*entry, "--data", "tiny", *files]), home)
        assert said.code == code, said.out + said.err
        told = re.findall(r"^check \w+: .* \((\w+\.onnx) against", said.out, re.M)
        assert told == [file for file in files if file != "absent.onnx"]


def test_the_recipe_for_make(home: Path, tmp_path: Path) -> None:
    (recipe,) = re.findall(r"^```make\n(.*?)^```", page("ci.md"), re.M | re.S)
    (tmp_path / "Makefile").write_text(recipe, encoding="utf-8")
    (tmp_path / "baseline.json").symlink_to(home / "baseline.json")
    (tmp_path / "export").mkdir()
    for model, code in (("good.onnx", 0), ("zeroed.onnx", 2)):
        link = tmp_path / "export" / "model.onnx"
        link.unlink(missing_ok=True)
        link.symlink_to(home / model)
        said = shell("make check-model", tmp_path)
        assert said.code == code, said.out + said.err
        assert ("check failed" in said.out) == bool(code)


PLUGIN = ("-p", "onnxdissect.pytest_plugin", "-p", "no:cacheprovider")


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    # Installed, the plugin loads by its entry point; here it is named, and must not be loaded twice.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    # It has a home of its own, in which every kernel would be compiled and the images drawn again.
    monkeypatch.setenv("XDG_CACHE_HOME", CACHE)
    return pytester


def test_the_plugin_passes_and_fails(suite: pytest.Pytester, home: Path) -> None:
    suite.makepyfile(
        f"""
        import pytest

        HOME = {str(home)!r}

        @pytest.mark.dissection
        @pytest.mark.parametrize("model", ["good", "zeroed"])
        def test_model(model, assert_dissection):
            verdict = assert_dissection(f"{{HOME}}/{{model}}.onnx", f"{{HOME}}/baseline.json")
            assert verdict.passed and not verdict.warnings

        @pytest.mark.dissection(baseline=f"{{HOME}}/baseline.json", config=f"{{HOME}}/mild.toml")
        def test_with_defaults_of_the_marker(assert_dissection):
            assert assert_dissection(f"{{HOME}}/zeroed.onnx").warnings
            with pytest.raises(Exception, match="absent"):
                assert_dissection(f"{{HOME}}/zeroed.onnx", f"{{HOME}}/absent.json")

        @pytest.mark.dissection(basline="b.json")
        def test_with_a_marker_that_will_not_do(assert_dissection):
            assert_dissection("model.onnx")

        """
    )
    rules = ("labels", "iou-loss", "unique-loss", "dead")
    levels = "".join(f'{rule} = "warning"\n' for rule in rules)
    (home / "mild.toml").write_text(f"[levels]\n{levels}", encoding="utf-8")
    result = suite.runpytest_subprocess("--strict-markers", "-W", "error", *PLUGIN)
    result.assert_outcomes(passed=2, failed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            "*the marker dissection takes baseline, config, data, options by name, not basline",
            "check failed: * (*zeroed.onnx against *baseline.json)",
            "error: labels: relu6: * detectors * keep their label, 80% must",
            "  - unit *: * became nothing",
        ]
    )
    result.stdout.no_fnmatch_line("*Traceback*")
    result = suite.runpytest_subprocess("--strict-markers", "-m", "dissection and not dissection", *PLUGIN)
    result.assert_outcomes(deselected=4)


def test_the_recipe_for_pytest(suite: pytest.Pytester, home: Path) -> None:
    (recipe,) = re.findall(r"^```text\n(import pytest\n.*?)^```", page("ci.md"), re.M | re.S)
    suite.makepyfile(recipe)
    (suite.path / "export").mkdir()
    for name, target in (("model.onnx", "zeroed.onnx"), ("int8.onnx", "good.onnx")):
        (suite.path / "export" / name).symlink_to(home / target)
    (suite.path / "baseline.json").symlink_to(home / "baseline.json")
    (suite.path / "strict.toml").write_text("minimum-unique = 1\n", encoding="utf-8")
    result = suite.runpytest_subprocess("--strict-markers", "-m", "dissection", *PLUGIN)
    result.assert_outcomes(passed=1, deselected=1)


def test_the_plugin_costs_nothing_where_it_is_not_used(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        """
        import sys

        def test_nothing_was_imported():
            heavy = {"numpy", "onnx", "onnxruntime", "onnx_ir", "numba", "cv2", "jinja2", "typer", "rich"}
            assert "onnxdissect.pytest_plugin" in sys.modules
            assert not heavy & set(sys.modules)
            ours = sorted(name for name in sys.modules if name.startswith("onnxdissect"))
            assert ours == ["onnxdissect", "onnxdissect.pytest_plugin"]
        """
    )
    suite.runpytest_subprocess("--strict-markers", "-W", "error", *PLUGIN).assert_outcomes(passed=1)
    result = suite.runpytest_subprocess("--markers", *PLUGIN)
    result.stdout.fnmatch_lines(["@pytest.mark.dissection(baseline, config, data, options): *"])


def test_the_plugin_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["entry-points"]["pytest11"] == {"onnxdissect": "onnxdissect.pytest_plugin"}


def test_sarif_of_the_action_is_located_in_the_workspace(home: Path, tmp_path: Path) -> None:
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / "m.onnx").symlink_to(home / "zeroed.onnx")
    said, told = Action().run(
        "check", tmp_path, model="export/m.onnx", baseline=str(home / "baseline.json"), folder="out/reports"
    )
    assert "::error file=export/m.onnx,title=onnxdissect labels" in said.out
    log = json.loads((tmp_path / told["sarif"]).read_text(encoding="utf-8"))
    assert sarif_faults(log) == []
    (location,) = log["runs"][0]["results"][0]["locations"]
    assert location["physicalLocation"]["artifactLocation"]["uri"] == "export/m.onnx"
