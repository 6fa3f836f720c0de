"""Puts the parts together: settings become a store, a catalog of actions and an engine.

This is the one package that knows all adapters, and the one place where the environment is read.
"""

from fanwise.wiring.engines import (
    Submitted,
    build_engine,
    open_engine,
    open_executors,
    open_taking,
    submit_run,
)
from fanwise.wiring.inputs import read_input
from fanwise.wiring.machine import (
    keep_one_heap,
    new_token,
    secret_of,
    system_clock,
    this_user,
    worker_environment,
)
from fanwise.wiring.plans import (
    Actions,
    RecordedPlans,
    changed_files,
    load_catalog,
    load_plan,
    load_recorded,
    load_to_retry,
    load_triggers,
    preview_run,
    retry_notes,
)
from fanwise.wiring.serving import Serving, open_serving, triggered_runs
from fanwise.wiring.settings import (
    Settings,
    StorePlace,
    Workflow,
    read_limits,
    read_named_limits,
    read_settings,
)
from fanwise.wiring.stores import (
    check_store,
    detached,
    open_existing,
    open_or_make,
    open_records,
    runs_of,
    trigger_states,
    upgrade_store,
)

__all__ = [
    "Actions",
    "RecordedPlans",
    "Serving",
    "Settings",
    "StorePlace",
    "Submitted",
    "Workflow",
    "build_engine",
    "changed_files",
    "check_store",
    "detached",
    "keep_one_heap",
    "load_catalog",
    "load_plan",
    "load_recorded",
    "load_to_retry",
    "load_triggers",
    "new_token",
    "open_engine",
    "open_executors",
    "open_existing",
    "open_or_make",
    "open_records",
    "open_serving",
    "open_taking",
    "preview_run",
    "read_input",
    "read_limits",
    "read_named_limits",
    "read_settings",
    "retry_notes",
    "runs_of",
    "secret_of",
    "submit_run",
    "system_clock",
    "this_user",
    "trigger_states",
    "triggered_runs",
    "upgrade_store",
    "worker_environment",
]
