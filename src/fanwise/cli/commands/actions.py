"""`fanwise actions`: lists the actions that workflows can call, and describes one of them."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Annotated

import typer

from fanwise.cli import options
from fanwise.cli.completion.words import complete_actions
from fanwise.cli.text.output import as_json, print_results, prints_aside
from fanwise.errors import UsageError
from fanwise.reports.plain import clean, clean_lines

if TYPE_CHECKING:
    from fanwise.catalog import ActionField, ActionSpec
    from fanwise.ports import Catalog
    from fanwise.values import Json, JsonObject


def actions(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME", help="Describe this action.", autocompletion=complete_actions
        ),
    ] = None,
    packs: options.Packs = None,
    json: options.JsonFlag = False,
) -> None:
    """List the actions of all packs, or describe one.

    Those of a workflow's folder are listed with --packs FOLDER.
    """
    from fanwise.wiring import load_catalog, read_settings

    with prints_aside():
        catalog = load_catalog(read_settings(packs=packs or ()))
        specs = _all(catalog) if name is None else [_find(catalog, name)]
    if name is not None:
        _print_one(specs[0], json=json)
    elif json:
        print_results([as_json([_brief_object(spec) for spec in specs])])
    else:
        print_results(_list_lines(specs))


def _all(catalog: Catalog) -> list[ActionSpec]:
    return [spec for name in catalog.names() if (spec := catalog.get(name))]


def _find(catalog: Catalog, name: str) -> ActionSpec:
    spec = catalog.get(name)
    if spec is None:
        from fanwise.definition import did_you_mean

        raise UsageError(
            f'no pack has an action "{name}".',
            hint=did_you_mean(name, catalog.names()) or "`fanwise actions` lists all of them.",
        )
    return spec


def _pack(spec: ActionSpec) -> str:
    return spec.name.partition(".")[0]


def _first_line(spec: ActionSpec) -> str:
    return clean(spec.doc.strip().partition("\n")[0])


def _list_lines(specs: list[ActionSpec]) -> list[str]:
    width = max((len(spec.name) for spec in specs), default=0)
    lines: list[str] = []
    for pack, members in groupby(specs, _pack):
        lines += ["", pack] if lines else [pack]
        lines += [f"  {spec.name:{width}}  {_first_line(spec)}".rstrip() for spec in members]
    return lines


def _print_one(spec: ActionSpec, *, json: bool) -> None:
    if json:
        fields = [_field_object(field) for field in spec.fields.values()]
        whole = {
            "name": spec.name,
            "doc": spec.doc,
            "source": spec.source,
            "runs": spec.runs,
            "open_input": spec.open_input,
            "fields": fields,
        }
        print_results([as_json(whole)])
        return
    print_results([spec.name, "", clean_lines(spec.doc) or "No description.", "", "Input:"])
    print_results(_input_lines(spec))
    print_results(["", f"Defined in {clean(spec.source)}"])


def _input_lines(spec: ActionSpec) -> list[str]:
    from fanwise.cli.text.render import table

    rows = [
        (
            f"  {field.name}",
            clean(field.accepts),
            "required" if field.required else f"default {as_json(_shown(field.default))}",
            clean(field.doc),
        )
        for field in spec.fields.values()
    ]
    lines = table(("  NAME", "TAKES", "", ""), rows) if rows else []
    if spec.open_input:
        lines.append("  any further names")
    lines += [f"  {clean(str(rule))}" for rule in spec.rules]
    return lines or ["  none"]


def _brief_object(spec: ActionSpec) -> JsonObject:
    return {
        "name": spec.name,
        "pack": _pack(spec),
        "summary": _first_line(spec),
        "source": spec.source,
    }


def _field_object(field: ActionField) -> JsonObject:
    return {
        "name": field.name,
        "accepts": field.accepts,
        "required": field.required,
        "default": _shown(field.default),
        "doc": field.doc,
    }


def _shown(default: object) -> Json:
    """A default as JSON, or as Python writes it if it isn't JSON."""
    from fanwise.errors import ResultError
    from fanwise.values import freeze, thaw

    try:
        shown: Json = thaw(freeze(default))
    except ResultError:
        return repr(default)
    return shown
