"""The settings of fanwise: from arguments, the environment and the project."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from fanwise.arguments import require_list, require_text
from fanwise.errors import (
    UsageError,
)
from fanwise.model import LEASE_S, Limits

if TYPE_CHECKING:
    from fanwise.definition.project import ProjectDefinition
    from fanwise.model import NamedLimit


Workflow = str | os.PathLike[str] | Mapping[str, object]
"""A workflow: the path of its file, its text in YAML, or its content as a map.

A `str` with a line break is text, and any other `str` is a path.
"""

StorePlace = str | os.PathLike[str] | None
"""The URL of a store, or the path of its file; None for the one that the settings name."""

_is_url = re.compile(r"https?://[^\s/?#]+(/[^\s?#]*)?").fullmatch

_MOST = 10**15

_MOST_DEPTH = 100  # each takes several frames of Python's stack

_LEAST_LEASE_S = 1.0  # less, and a machine that is merely slow would lose its runs


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of fanwise: the store's URL, further pack folders, limits, the environment.

    For `lease_s` a run stays with a process of which nothing is heard. `executor` is where actions
    run, of tasks that don't say it, and `processes` how many child processes there may be; None is
    by the kind of each action, and one for each core. `ray` is the address of a Ray cluster; with
    None one is started on this machine when it is needed. `public_url` is where a server of the
    store is reached.
    """

    store: str
    packs: tuple[Path, ...] = ()
    limits: Limits = Limits()
    lease_s: float = LEASE_S
    executor: str | None = None
    processes: int | None = None
    ray: str | None = None
    public_url: str | None = None
    environment: Mapping[str, str] = {}


def read_settings(
    *,
    store: str | os.PathLike[str] | None = None,
    packs: Sequence[str | os.PathLike[str]] = (),
    executor: str | None = None,
    processes: int | None = None,
    ray: str | None = None,
    public_url: str | None = None,
    environment: Mapping[str, str] | None = None,
    workflow: Workflow | None = None,
) -> Settings:
    """The settings that arguments, the environment and the project make; the first wins.

    The project's `fanwise.yaml` is looked for from the folder of the file `workflow`, or the
    current folder, upward, if neither of the others names a store.

    Reads `FANWISE_STORE`, `FANWISE_PACKS` (folders, separated as in `PATH`), `FANWISE_EXECUTOR`,
    `FANWISE_PROCESSES`, `FANWISE_RAY`, else `RAY_ADDRESS`, `FANWISE_PUBLIC_URL`, `FANWISE_LEASE` (a
    duration) and `FANWISE_LIMIT_NAME`. Raises `UsageError` for an executor or a limit that is
    unknown, a number that is no whole one, a URL that is none, a lease that is no duration or too
    short, and text that isn't UTF-8; and `DefinitionError` for a `fanwise.yaml` with problems.
    """
    require_list("packs", packs, '"folder"')
    if workflow is not None:
        require_workflow(workflow)
    if store is not None and not isinstance(store, os.PathLike):
        require_text("store", store)
    env = dict(os.environ if environment is None else environment)
    _require_text(env)
    limits = read_limits(env)
    named = (
        (store and os.fspath(store)) or env.get("FANWISE_STORE") or _project_store(workflow, limits)
    )
    folders = [Path(folder) for folder in env.get("FANWISE_PACKS", "").split(os.pathsep) if folder]
    return Settings(
        store=named or str(_default_store(env)),
        packs=(*folders, *map(Path, packs)),
        limits=limits,
        lease_s=_read_lease(env),
        executor=_read_executor(executor, env),
        processes=_read_processes(processes, env),
        ray=_read_ray(ray, env),
        public_url=_read_public_url(public_url, env),
        environment=env,
    )


def _require_text(env: Mapping[str, str]) -> None:
    """Raise `UsageError` for a variable of ours, or one that leads to files, that isn't UTF-8."""
    from fanwise.values import is_storable

    for name, value in env.items():
        is_ours = name.startswith("FANWISE_") or name in ("HOME", "XDG_DATA_HOME")
        if is_ours and not (is_storable(name) and is_storable(value)):
            shown = os.fsencode(name).decode(errors="backslashreplace")
            raise UsageError(f"the environment variable {shown} isn't text in UTF-8.")


def _read_lease(env: Mapping[str, str]) -> float:
    text = env.get("FANWISE_LEASE")
    if not text:
        return LEASE_S
    from fanwise.definition.literals import parse_duration

    try:
        lease_s = parse_duration(text)
    except ValueError as error:
        raise UsageError(f"the environment variable FANWISE_LEASE {error}.") from None
    if lease_s < _LEAST_LEASE_S:
        raise UsageError(
            f"the environment variable FANWISE_LEASE takes {_LEAST_LEASE_S:g} s or more.",
            hint=f"Without it leases hold for {LEASE_S:g} s.",
        )
    return lease_s


def _read_executor(given: str | None, env: Mapping[str, str]) -> str | None:
    name = given or env.get("FANWISE_EXECUTOR") or None
    if name is None:
        return None
    from fanwise.catalog import EXECUTORS

    if name not in EXECUTORS:
        origin = "" if given else "FANWISE_EXECUTOR: "
        raise UsageError(
            f'{origin}there is no executor "{name}".',
            hint=f"The executors are {', '.join(EXECUTORS)}.",
        )
    return name


def _read_processes(given: int | None, env: Mapping[str, str]) -> int | None:
    text = env.get("FANWISE_PROCESSES") if given is None else str(given)
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and 0 < len(text) <= 4 and int(text) > 0):
        origin = "the environment variable FANWISE_PROCESSES" if given is None else "`processes`"
        raise UsageError(f"{origin} takes a whole number from 1 to 9,999.")
    return int(text)


def _read_ray(given: str | None, env: Mapping[str, str]) -> str | None:
    """The address of a cluster; None, as for Ray itself, is also said as `local`."""
    if given is not None:
        require_text("ray", given)
    address = given or env.get("FANWISE_RAY") or env.get("RAY_ADDRESS") or None
    if address is not None and address.startswith("ray://"):
        raise UsageError(
            f"{address} is an address of Ray's client, which can't be used.",
            hint="Give the address that `ray start --head` prints, such as 10.0.0.5:6379.",
        )
    return None if address == "local" else address


def _read_public_url(given: str | None, env: Mapping[str, str]) -> str | None:
    url = given or env.get("FANWISE_PUBLIC_URL") or None
    if url is not None and not _is_url(url):
        raise UsageError(
            f"{'--public-url' if given else 'FANWISE_PUBLIC_URL'} takes the URL of a server.",
            hint="Write for example https://fanwise.example.com",
        )
    return url


def _project_store(workflow: Workflow | None, limits: Limits) -> str | None:
    """The store that the nearest `fanwise.yaml` names; a path is relative to that file."""
    for folder, project in _projects(workflow, limits):
        if project.store is not None:
            return _store_from(folder, project.store)
    return None


def read_named_limits(workflow: Workflow | None, settings: Settings) -> Sequence[NamedLimit]:
    """The limits that tasks may name: those of the nearest `fanwise.yaml` that has some.

    Raises `DefinitionError` for one with problems, and `UsageError` for one that can't be read.
    """
    for _, project in _projects(workflow, settings.limits):
        if project.limits:
            return project.limits
    return ()


def _projects(
    workflow: Workflow | None, limits: Limits
) -> Iterator[tuple[Path, ProjectDefinition]]:
    """Each `fanwise.yaml` from the folder of a workflow, or the current one, upward."""
    from fanwise.definition.project import PROJECT_FILE, load_project

    folder = Path.cwd()
    if isinstance(workflow, str | os.PathLike) and not is_text(workflow):
        folder = Path(workflow).absolute().parent
    for each in (folder, *folder.parents):
        file = each / PROJECT_FILE
        try:
            text = file.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise UsageError(
                f"{file}  can't be read: {error.strerror}.", hint="Or name a store with --store."
            ) from None
        yield each, load_project(text, file=str(file), limits=limits)


def _store_from(folder: Path, store: str) -> str:
    """The store's URL, with a relative path made absolute."""
    prefix = "sqlite:///"
    if store.startswith(prefix):
        return f"{prefix}{folder / store.removeprefix(prefix)}"
    return store if "://" in store else str(folder / store)


def is_text(workflow: str | os.PathLike[str]) -> bool:
    """Say whether a workflow is given as its text, not as the path of its file."""
    return isinstance(workflow, str) and workflow.splitlines() not in ([], [workflow])


def require_workflow(workflow: object) -> None:
    """Raise `UsageError` for what can't be a workflow."""
    if not isinstance(workflow, str | os.PathLike | Mapping):
        raise UsageError(
            f"a workflow can't be given as {type(workflow).__name__}.",
            hint="Give the path of its file, its text in YAML, or its content as a map.",
        )


def _default_store(env: Mapping[str, str]) -> Path:
    """The user's own store, where the XDG Base Directory Specification puts data."""
    data = env.get("XDG_DATA_HOME") or ""
    base = Path(data) if data.startswith("/") else Path(env.get("HOME", "~")) / ".local" / "share"
    return base.expanduser() / "fanwise" / "fanwise.db"


def read_limits(environment: Mapping[str, str] | None = None) -> Limits:
    """The limits that the environment sets by `FANWISE_LIMIT_NAME`. Raises `UsageError`."""
    env = os.environ if environment is None else environment
    prefix = "FANWISE_LIMIT_"
    known = {f"{prefix}{name.upper()}": name for name in Limits.__struct_fields__}
    given: dict[str, int] = {}
    for variable, text in env.items():
        if not variable.startswith(prefix):
            continue
        if variable not in known:
            raise UsageError(
                f"the environment variable {variable} names no limit.",
                hint=f"The limits are {', '.join(Limits.__struct_fields__)}.",
            )
        most = _MOST_DEPTH if known[variable] == "depth" else _MOST
        digits = text.isascii() and text.isdigit() and len(text) <= len(str(_MOST))
        if not (digits and 0 < int(text) <= most):
            raise UsageError(
                f"the environment variable {variable} takes a whole number from 1 to {most:,}."
            )
        given[known[variable]] = int(text)
    return Limits(**given)
