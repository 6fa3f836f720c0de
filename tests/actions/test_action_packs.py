"""Packs: where actions are found, and what happens when one is broken."""

from __future__ import annotations

import asyncio
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fanwise.catalog import ActionSpec, Runs
from fanwise.errors import ActionLoadError
from fanwise.packs.folders import load_actions
from fanwise.packs.registry import ActionRegistry


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text))
    return path


def actions_file(path: Path, **actions: str) -> Path:
    """A file with an action for each name, which gives the text."""
    lines = ["import fanwise"]
    for name, result in actions.items():
        lines += [
            f'@fanwise.action("{name.replace("__", ".")}")',
            f"def {name}(): return {result!r}",
        ]
    return write(path, "\n".join(lines))


def call(registry: ActionRegistry, name: str, **given: Any) -> Any:
    spec = registry.get(name)
    assert spec is not None
    return spec.function(**given)


def load_error(**where: Any) -> ActionLoadError:
    with pytest.raises(ActionLoadError) as caught:
        load_actions(**where)
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that packages are installed in."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    known = set(sys.modules)
    yield folder
    for name in set(sys.modules) - known:
        if getattr(sys.modules[name], "__file__", None) and str(folder) in str(
            sys.modules[name].__file__
        ):
            del sys.modules[name]


def install(site: Path, package: str, pack: str, code: str) -> None:
    """Install a package that has one pack."""
    info = f"{package}-1.0.dist-info"
    write(site / info / "METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    write(site / info / "entry_points.txt", f"[fanwise.packs]\n{pack} = {package}\n")
    write(site / f"{package}.py", code)


class TestFinding:
    def test_actions_beside_the_workflow(self, tmp_path: Path) -> None:
        """actions.py and the packs in packs/ are found, and so is the core pack."""
        actions_file(tmp_path / "actions.py", my__own="beside")
        actions_file(tmp_path / "packs/cloud/actions.py", cloud__list="cloud")
        actions_file(tmp_path / "packs/files/tools.py", files__copy="files")
        registry = load_actions(workflow_file=tmp_path / "flow.yaml")
        assert call(registry, "my.own") == "beside"
        assert call(registry, "cloud.list") == "cloud"
        assert call(registry, "files.copy") == "files"
        assert registry.get("core.noop") is not None
        assert registry.get("my.other") is None
        assert {"my.own", "cloud.list", "core.http"} < set(registry.names())
        assert list(registry.names()) == sorted(registry.names())

    def test_pack_folders(self, tmp_path: Path) -> None:
        """A folder that is given is a pack, or holds packs."""
        actions_file(tmp_path / "one/actions.py", one__a="1")
        actions_file(tmp_path / "many/two/actions.py", two__a="2")
        actions_file(tmp_path / "many/three/anything.py", three__a="3")
        (tmp_path / "many/docs").mkdir()
        registry = load_actions(pack_folders=[tmp_path / "one", tmp_path / "many"])
        assert [call(registry, f"{n}.a") for n in ("one", "two", "three")] == ["1", "2", "3"]

    def test_a_folder_without_a_pack_is_an_error(self, tmp_path: Path) -> None:
        """A mistyped --packs is told and not passed over."""
        assert "is not a folder" in str(load_error(pack_folders=[tmp_path / "missing"]))
        assert "holds no pack" in str(load_error(pack_folders=[tmp_path]))

    def test_a_name_is_taken_once(self, tmp_path: Path) -> None:
        """Two actions of one name are an error that names both places."""
        first = actions_file(tmp_path / "packs/a/actions.py", my__own="1")
        second = actions_file(tmp_path / "actions.py", my__own="2")
        text = str(load_error(workflow_file=tmp_path / "flow.yaml"))
        assert text.startswith(f'{second}:2  action "my.own" is defined in {first}:2 too.')

    def test_an_action_that_is_imported_by_another_file_is_one_action(self, tmp_path: Path) -> None:
        """Importing an action from a sibling doesn't define it twice."""
        actions_file(tmp_path / "pack/base.py", my__own="1")
        write(tmp_path / "pack/more.py", "from base import my__own")
        registry = load_actions(pack_folders=[tmp_path / "pack"])
        assert call(registry, "my.own") == "1"

    def test_names_of_the_core_pack_are_reserved(self, tmp_path: Path) -> None:
        """Nobody can replace core.http."""
        actions_file(tmp_path / "actions.py", core__http="mine")
        text = str(load_error(workflow_file=tmp_path / "flow.yaml"))
        assert '"core.http" has a name of the core pack' in text


class TestModules:
    def test_siblings_can_be_imported(self, tmp_path: Path) -> None:
        """Files and packages beside actions.py are imported as in a script, also at run time."""
        write(tmp_path / "helpers.py", "import deep.down\nVALUE = deep.down.VALUE")
        write(tmp_path / "deep/__init__.py", "")
        write(tmp_path / "deep/down.py", "from . import up\nVALUE = up.VALUE")
        write(tmp_path / "deep/up.py", "VALUE = 7")
        write(tmp_path / "late.py", "from helpers import VALUE")
        write(
            tmp_path / "actions.py",
            """
            import json, os.path
            import fanwise, helpers
            import deep.down as down
            from .helpers import VALUE

            @fanwise.action("my.sum")
            def total():
                import late
                from deep import up
                return helpers.VALUE + down.VALUE + VALUE + late.VALUE + up.VALUE
            """,
        )
        registry = load_actions(workflow_file=tmp_path / "flow.yaml")
        assert call(registry, "my.sum") == 35

    def test_two_workflows_share_nothing(self, tmp_path: Path) -> None:
        """Files of the same names in two folders don't meet."""
        for name in ("a", "b"):
            write(tmp_path / name / "helpers.py", f"VALUE = {name!r}")
            write(
                tmp_path / name / "actions.py",
                """
                import fanwise

                @fanwise.action("my.own")
                def own():
                    import helpers
                    return helpers.VALUE
                """,
            )
        path = list(sys.path)
        first = load_actions(workflow_file=tmp_path / "a/flow.yaml")
        second = load_actions(workflow_file=tmp_path / "b/flow.yaml")
        assert [call(first, "my.own"), call(second, "my.own")] == ["a", "b"]
        assert "helpers" not in sys.modules
        assert sys.path == path

    def test_a_changed_file_is_loaded_anew(self, tmp_path: Path) -> None:
        """Loading again gives the new code, also within the same second; the old stays as it is."""
        flow = tmp_path / "flow.yaml"
        write(tmp_path / "helpers.py", "VALUE = 1")
        code = "import fanwise, helpers\n@fanwise.action('my.own')\n"
        code += "def own(): return (N, helpers.VALUE)"
        write(tmp_path / "actions.py", code + "\nN = 1")
        old = load_actions(workflow_file=flow)
        write(tmp_path / "actions.py", code + "\nN = 2")
        write(tmp_path / "helpers.py", "VALUE = 2")
        new = load_actions(workflow_file=flow)
        assert call(new, "my.own") == (2, 2)
        assert call(old, "my.own") == (1, 1)

    def test_annotations_of_models_work(self, tmp_path: Path) -> None:
        """Pydantic finds the module of a pack's models, also with postponed annotations."""
        write(
            tmp_path / "actions.py",
            """
            from __future__ import annotations
            import fanwise
            from pydantic import BaseModel

            @fanwise.action("my.port")
            def port(server: Server) -> int:
                return server.port

            class Server(BaseModel):
                port: Port

            class Port(BaseModel):
                number: int
            """,
        )
        spec = load_actions(workflow_file=tmp_path / "flow.yaml").get("my.port")
        assert spec is not None
        check = spec.fields["server"].check
        assert check is not None
        assert check({"port": {"number": "5"}}).port.number == 5


class TestBroken:
    def test_an_exception_is_told_with_its_place_and_the_authors_frames(
        self, tmp_path: Path
    ) -> None:
        """One line names file, line and exception; the traceback has no frames of fanwise's."""
        write(tmp_path / "actions.py", "import helpers\n")
        helpers = write(tmp_path / "helpers.py", "def f():\n    raise ValueError('bad\\nday')\nf()")
        error = load_error(workflow_file=tmp_path / "flow.yaml")
        assert str(error) == f"{helpers}:2  the pack can't be imported: ValueError: bad."
        assert error.traceback.startswith("Traceback (most recent call last):\n")
        files = [line for line in error.traceback.splitlines() if line.startswith("  File ")]
        assert len(files) == 3
        assert all(str(tmp_path) in line for line in files)

    @pytest.mark.parametrize(
        ("code", "reason"),
        [
            ("\nx = = 2", "2  the pack can't be imported: SyntaxError: invalid syntax"),
            ("import nowhere_at_all", "ModuleNotFoundError: No module named 'nowhere_at_all'."),
            ("import sys\n\nsys.exit(3)", "3  the pack can't be imported: SystemExit: 3."),
        ],
    )
    def test_whatever_goes_wrong_is_one_line(self, tmp_path: Path, code: str, reason: str) -> None:
        """Syntax errors, missing modules and exits are told alike."""
        write(tmp_path / "actions.py", code)
        text = str(load_error(workflow_file=tmp_path / "flow.yaml"))
        assert text.startswith(f"{tmp_path / 'actions.py'}:")
        assert reason in text

    def test_a_refused_action_is_told_as_it_is(self, tmp_path: Path) -> None:
        """The decorator's own message comes through an import unchanged."""
        actions_file(tmp_path / "actions.py", plain="1")
        text = str(load_error(workflow_file=tmp_path / "flow.yaml"))
        assert text.startswith(f'{tmp_path / "actions.py"}:2  action "plain" isn\'t named')


class TestInstalled:
    CODE = "import fanwise\n@fanwise.action('acme.hello')\ndef hello(): return 'hi'\n"

    def test_an_installed_pack_is_found_by_its_entry_point(self, site: Path) -> None:
        """A package with an entry point in fanwise.packs brings its actions."""
        install(site, "acme_pack", "acme", self.CODE)
        assert call(load_actions(), "acme.hello") == "hi"

    def test_it_is_imported_when_it_is_first_asked_for(self, site: Path) -> None:
        """A pack that nobody uses costs no import."""
        install(site, "acme_lazy", "acme", self.CODE)
        registry = load_actions()
        registry.get("core.noop")
        assert "acme_lazy" not in sys.modules
        registry.get("acme.hello")
        assert "acme_lazy" in sys.modules

    def test_a_broken_one_harms_only_its_users(self, site: Path) -> None:
        """Other actions stay usable; each use of the broken pack says what is wrong with it."""
        install(site, "acme_broken", "acme", "1 / 0")
        registry = load_actions()
        assert registry.get("core.noop") is not None
        assert "core.noop" in registry.names()
        for _ in range(2):
            with pytest.raises(ActionLoadError, match=r"acme_broken\.py:1 .*ZeroDivisionError"):
                registry.get("acme.hello")

    def test_its_actions_are_named_after_it(self, site: Path) -> None:
        """Which pack a name belongs to can be told without importing all of them."""
        install(site, "acme_misnamed", "acme", self.CODE.replace("acme.", "other."))
        registry = load_actions()
        with pytest.raises(ActionLoadError, match=r'Call it "acme.hello"'):
            registry.get("acme.hello")

    def test_two_of_one_name_cannot_be_told_apart(self, site: Path) -> None:
        """Neither of them is used, and the error says why."""
        install(site, "acme_one", "acme", self.CODE)
        install(site, "acme_two", "acme", self.CODE)
        with pytest.raises(ActionLoadError, match='two installed packages have a pack "acme"'):
            load_actions().get("acme.hello")

    def test_the_core_packs_place_cannot_be_taken(self, site: Path) -> None:
        """An installed package that calls its pack core is passed over."""
        install(site, "evil", "core", "raise SystemExit")
        assert load_actions().get("core.noop") is not None

    def test_a_clash_with_a_pack_beside_the_workflow_is_told(
        self, site: Path, tmp_path: Path
    ) -> None:
        """An installed action and one beside the workflow don't hide each other."""
        install(site, "acme_clash", "acme", self.CODE)
        actions_file(tmp_path / "actions.py", acme__hello="mine")
        registry = load_actions(workflow_file=tmp_path / "flow.yaml")
        with pytest.raises(ActionLoadError, match=r"is defined in .* too"):
            registry.get("acme.hello")


def test_registries_are_independent() -> None:
    """What one registry knows, another one doesn't."""

    def function() -> None: ...

    first, second = ActionRegistry(), ActionRegistry()
    first.add(ActionSpec("a.b", function, Runs.THREAD, {}))
    assert first.get("a.b") is not None
    assert second.get("a.b") is None


def test_the_core_pack_is_light() -> None:
    """Asking for a core action loads neither aiohttp nor pydantic nor asyncio."""
    code = (
        "import sys\n"
        "from fanwise.packs.folders import load_actions\n"
        "assert load_actions().get('core.http')\n"
        "print([m for m in ('aiohttp', 'pydantic', 'asyncio', 'yarl') if m in sys.modules])"
    )

    async def run() -> bytes:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE
        )
        return (await process.communicate())[0]

    assert asyncio.run(run()).strip() == b"[]"
