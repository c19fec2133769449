from __future__ import annotations

import dataclasses
import inspect
import typing

import pytest

from cleanplate import api
from cleanplate.settings.groups import Settings
from cleanplate.settings.keywords import JobSettings


def test_the_api_names_and_types_every_setting_of_every_group() -> None:
    groups = [f.default_factory for f in dataclasses.fields(Settings) if f.name != "engine_fields"]
    wanted: dict[str, object] = {}
    for group in groups:
        wanted |= typing.get_type_hints(group)
    assert typing.get_type_hints(JobSettings) == wanted


@pytest.mark.parametrize("name", ["remove", "track", "inpaint", "segment", "segment_all"])
def test_every_call_of_the_api_takes_settings_by_name(name: str) -> None:
    parameters = inspect.signature(getattr(api, name)).parameters
    assert "Settings]" in str(parameters["settings"].annotation)
