"""The page: pick, track, remove. Its stage is our own JavaScript, its settings native components.

The templates are constant: a template that is filled in again would take the canvas with it. All
data comes by fetch from the app's routes.
"""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.themes import Base

from cleanplate.app.page.choices import choices
from cleanplate.app.page.form import defaults, settings_form

FOLDER = Path(__file__).parent
_MODULE = "page/main.js"  # below the page's own address, whatever path it is served under
_BEGIN = f"import(new URL({_MODULE!r}, document.baseURI).href).then((page) => page.ready());"
# The settings come back into the form: by an event of the panel, without the server.
_PANEL = (
    _BEGIN + " element.addEventListener('cp-settings', () => trigger('change')); "
    "if (window.cleanplate?.desk.state) trigger('change');"
)
_BACK = """() => {
  const now = window.cleanplate?.values ?? {};
  const known = { ...%s, ...now, ...(now.engine_fields ?? {}) };
  const texts = new Set(%s);
  return %s.map((key) => (texts.has(key) ? String(known[key] ?? "") : (known[key] ?? null)));
}"""


def build(about: dict[str, Any]) -> gr.Blocks:
    """The page, for an app of which ``about`` tells what ``GET /about`` answers."""
    with gr.Blocks(title="cleanplate", analytics_enabled=False, fill_width=True) as blocks:
        _part("top.html")
        with gr.Row(elem_id="cp-desk", equal_height=False):
            with gr.Column(scale=3, elem_id="cp-left", min_width=320):
                _part("main.html")
            with gr.Column(scale=1, elem_id="cp-right", min_width=300):
                panel = _part("panel.html", _PANEL, choices())
                with gr.Accordion("More settings", open=False, elem_id="cp-more"):
                    form = settings_form()
        _part("foot.html")
        texts = [key for key, component in form.items() if isinstance(component, gr.Textbox)]
        back = _BACK % tuple(json.dumps(part) for part in (defaults(), texts, list(form)))
        panel.change(None, None, list(form.values()), js=back, api_visibility="private")
    return blocks


def look() -> dict[str, Any]:
    """How the page looks: arguments of ``gr.mount_gradio_app``."""
    style = (
        "<style>html{background:#15171b}body{margin:0}</style>"  # no white flash before the theme
    )
    sheet = '<link rel="stylesheet" href="page/style.css">'
    return {"theme": _theme(), "head": style + sheet}


def _part(name: str, begin: str = _BEGIN, data: Any = None) -> gr.HTML:
    template = (FOLDER / name).read_text(encoding="utf-8")
    if data is not None:
        # Gradio reads a template as a JavaScript template string: what is special there is escaped.
        text = html.escape(json.dumps(data, ensure_ascii=False), quote=True)
        text = text.replace("\\", "\\\\").replace("`", "\\`").replace("${", "\\${")
        template = template.replace("CHOICES", text)
    return gr.HTML(html_template=template, js_on_load=begin, apply_default_css=False, padding=False)


def _theme() -> Base:
    """Native parts in the colours of ``style.css``."""
    font = ["Inter", "ui-sans-serif", "system-ui", "Segoe UI", "sans-serif"]
    theme = Base(
        primary_hue="teal", neutral_hue="slate", radius_size="sm", text_size="sm",
        spacing_size="sm", font=font, font_mono=["ui-monospace", "Consolas", "monospace"],
    )  # fmt: skip
    return theme.set(
        body_background_fill="#f3f4f6",
        body_background_fill_dark="#15171b",
        body_text_color="#1c2027",
        body_text_color_dark="#e7eaef",
        body_text_color_subdued="#535c6b",
        body_text_color_subdued_dark="#a7b0be",
        block_background_fill="#ffffff",
        block_background_fill_dark="#1c1f25",
        block_border_width="0px",
        block_label_text_color="#1c2027",
        block_label_text_color_dark="#e7eaef",
        block_info_text_color="#535c6b",
        block_info_text_color_dark="#a7b0be",
        input_background_fill="#f3f4f6",
        input_background_fill_dark="#15171b",
        input_border_color="#8a93a2",
        input_border_color_dark="#5b6575",
        input_placeholder_color="#5d6675",
        input_placeholder_color_dark="#a7b0be",
        border_color_primary="#d5d9e0",
        border_color_primary_dark="#343a45",
        background_fill_secondary="#ffffff",
        background_fill_secondary_dark="#1c1f25",
    )
