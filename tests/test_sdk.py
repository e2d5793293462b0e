"""The private parts of the SDK that `singer/sdk.py` relies on, compared with the installed one."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest
from singer_sdk import Stream, Tap, plugin_base, tap_base
from singer_sdk.configuration._dict_config import parse_environment_config
from singer_sdk.helpers._classproperty import classproperty
from singer_sdk.helpers._state import StateWriter

HOOKS: dict[str, tuple[Callable[..., Any], list[str]]] = {
    "Tap._validate_config, which checks the settings": (Tap._validate_config, ["raise_errors"]),
    "Tap._setup_signal_handlers, which would replace the tap's own": (
        Tap._setup_signal_handlers,
        [],
    ),
    "Tap.sync_all, which loads all streams": (Tap.sync_all, []),
    "Tap.setup_mapper, which the tap replaces": (Tap.setup_mapper, []),
    "Stream.sync, which is final": (Stream.sync, ["context"]),
    "Stream._sync_records, for batches": (Stream._sync_records, ["context", "write_messages"]),
    "Stream._generate_record_messages, for batches": (
        Stream._generate_record_messages,
        ["record"],
    ),
    "Stream._generate_schema_messages, to which FOCUS adds its own": (
        Stream._generate_schema_messages,
        [],
    ),
    "Stream._increment_stream_state, which must do nothing": (
        Stream._increment_stream_state,
        ["latest_record", "context"],
    ),
    "Stream._write_starting_replication_value, which must do nothing": (
        Stream._write_starting_replication_value,
        ["context"],
    ),
    "StateWriter.write_state, which the tap replaces": (StateWriter.write_state, ["state"]),
    "parse_environment_config, which names a variable that cannot be read": (
        parse_environment_config,
        ["config_schema", "prefix", "dotenv_path"],
    ),
}


@pytest.mark.parametrize(("hook", "parameters"), HOOKS.values(), ids=HOOKS.keys())
def test_a_hook_has_the_expected_parameters(
    hook: Callable[..., Any], parameters: list[str]
) -> None:
    found = [name for name in inspect.signature(hook).parameters if name != "self"]
    assert found == parameters, f"this SDK changed {hook.__qualname__}: see singer/sdk.py"


def test_the_sdk_calls_the_hooks() -> None:
    """Otherwise it would be useless to override them."""
    tap, stream = inspect.getsource(tap_base), inspect.getsource(Stream)
    plugin = inspect.getsource(plugin_base)
    for name, source in {
        "self._state_writer": tap,
        "self._mapper": plugin + tap,
        "_setup_signal_handlers()": plugin + tap,
        "_validate_config(": plugin,
        "_increment_stream_state(": stream,
        "_write_starting_replication_value(": stream,
        "_generate_schema_messages()": stream,
        "self.partitions": stream,
    }.items():
        assert name in source, f"this SDK has no {name} any more: see singer/sdk.py"


def test_settings_from_the_environment_are_a_property_of_the_class() -> None:
    found = inspect.getattr_static(Tap, "_env_var_config")
    assert isinstance(found, classproperty), "this SDK reads the environment in another way"
