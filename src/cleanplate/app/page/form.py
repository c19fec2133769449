"""Everything that can be set, as native components made from the settings' own fields.

Values go out and come back by JavaScript: the project's state is the one truth, so that undo,
another tab and the command line are seen here too.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from typing import Any

import gradio as gr
from gradio.components import Component

from cleanplate import registry
from cleanplate.settings.encoder import EncoderSettings
from cleanplate.settings.groups import EngineSettings, MaskSettings, RegionSettings

# What step 1 says of each object, and what the three steps set themselves.
_ELSEWHERE = {
    *("static", "segmenter", "tracker", "inpainter", "grow", "codec", "quality", "lossless"),
}
_GROUPS = [
    ("The mask's rim", MaskSettings),
    ("What an engine sees", RegionSettings),
    ("The saved clip", EncoderSettings),
    ("Where to compute", EngineSettings),
]
# An empty field means the default; a number that may be unset is typed into a text field.
_OUT = "(value) => { window.cleanplate?.set({ %s: value === '' ? null : value }); }"
_NUMBER_OUT = """(text) => {
  const value = String(text).trim();
  const number = Number.isNaN(Number(value)) ? value : Number(value);
  window.cleanplate?.set({ %s: value === '' ? null : number });
}"""


def settings_form() -> dict[str, Component]:
    """Lay the form out in the Blocks that is open; its components by the settings' names."""
    components: dict[str, Component] = {}
    for title, cls in _GROUPS:
        with gr.Group(elem_classes="cp-form-group"):
            gr.HTML(f"<h3>{title}</h3>", padding=False, apply_default_css=False)
            for field in dataclasses.fields(cls):
                if field.name not in _ELSEWHERE:
                    components[field.name] = _component(cls, field, field.name)
    for task in registry.TASKS:
        for name in registry.names(task):
            cls = registry.find(task, name).Settings
            fields = dataclasses.fields(cls)
            if not fields:
                continue
            group = f"cp-engine-{task}-{name}"
            with gr.Group(elem_id=group, elem_classes=["cp-form-group", "cp-unused"]):
                gr.HTML(f"<h3>Engine {name}</h3>", padding=False, apply_default_css=False)
                for field in fields:
                    key = f"{name}.{field.name}"
                    components[key] = _component(cls, field, key)
    for key, component in components.items():
        # A number that may be unset is told when it is whole: on Enter, or when the field is left.
        unset = "cp-number" in component.elem_classes
        events = ("submit", "blur") if unset else ("input",)
        for event in events:
            listener = getattr(component, event)
            js = (_NUMBER_OUT if unset else _OUT) % repr(key)
            listener(None, [component], None, js=js, api_visibility="private")
    return components


def defaults() -> dict[str, Any]:
    """Value of each field when nothing is said, by the names of ``settings_form``."""
    values: dict[str, Any] = {}
    for _, cls in _GROUPS:
        values |= {f.name: f.default for f in dataclasses.fields(cls) if f.name not in _ELSEWHERE}
    for task in registry.TASKS:
        for name in registry.names(task):
            fields = dataclasses.fields(registry.find(task, name).Settings)
            values |= {f"{name}.{f.name}": f.default for f in fields}
    return values


def _kinds(cls: type[Any], name: str) -> set[type[Any]]:
    hint = typing.get_type_hints(cls)[name]
    return set(typing.get_args(hint)) if isinstance(hint, types.UnionType) else {hint}


def _component(cls: type[Any], field: Any, key: str) -> Component:
    """The component that fits a field's type and range."""
    rules, kinds = field.metadata, _kinds(cls, field.name)
    unit = f" ({rules['unit']})" if rules.get("unit") else ""
    words: dict[str, Any] = {
        "label": field.name.replace("_", " ").capitalize() + unit,
        "info": rules.get("help", ""),
        "value": field.default,
        "interactive": True,
        "elem_id": f"cp-set-{key.replace('.', '-')}",
    }
    if rules.get("choices"):
        return gr.Dropdown(choices=list(rules["choices"]), **words)
    if bool in kinds:
        return gr.Checkbox(**words)
    if kinds & {int, float} and type(None) not in kinds:
        low, high = rules.get("low"), rules.get("high")
        whole: dict[str, Any] = {"step": 1, "precision": 0} if int in kinds else {"step": 0.01}
        return gr.Number(minimum=low, maximum=high, **whole, **words)
    placeholder = "by itself" if type(None) in kinds else None
    if kinds & {int, float}:  # a number component would show 0 where nothing is set
        words["elem_classes"] = ["cp-number"]
    return gr.Textbox(max_lines=1, placeholder=placeholder, **words)
