"""Filter that makes the portal's page."""

from __future__ import annotations

DOCUMENTATION = r"""
name: portal_files
short_description: Make the portal's page from the items of the catalogue
description:
  - One page a language, a QR code a public item, and the files that lie in the portal role.
  - Every text is escaped by the template engine itself; no text is trusted.
options:
  _input:
    description: The items, from P(catalogue_items#filter).
    type: raw
    required: true
  role:
    description: Where the portal role lies.
    type: path
    required: true
  lab:
    description: The lab's name.
    type: str
    required: true
  texts:
    description: The page's texts by language.
    type: dict
    required: true
  codes:
    description: The QR codes of the items that have a magnet, in their order.
    type: list
    elements: str
    default: []
  trackers:
    description: The names of the trackers whose numbers are shown.
    type: list
    elements: str
    default: []
  seeders:
    description: The names of the seeders whose state is shown.
    type: list
    elements: str
    default: []
  aria2_ui:
    description: Whether an interface for aria2 is served below C(/aria2/).
    type: bool
    default: false
  malformed:
    description: Whether malformed files are published beside the catalogue, to be listed.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Publish the page
  torrent_file:
    directory: /srv/seedbed/portal
    files: "{{ catalogue_items | portal_files(role=role_path, lab='seedbed', texts=texts) }}"
"""

RETURN = r"""
_value:
  description: The parameter C(files) of module M(torrent_file).
  type: list
  elements: dict
  sample: [{path: index.en.html, content: PCFkb2N0eXBlIGh0bWw+}]
"""

import base64
import os
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence

import ansible.module_utils

ansible.module_utils.__path__.append(
    os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "module_utils")
)

import jinja2
from ansible.module_utils.seedbed.catalogue import page as portal_page
from ansible.module_utils.seedbed.catalogue.items import handed_on
from ansible.module_utils.seedbed.torrent.malformed import malformed_list


def portal_files(
    catalogue_items: Any,
    *,
    role: str,
    lab: str,
    texts: Mapping[str, Mapping[str, str]],
    codes: Sequence[str] = (),
    trackers: Sequence[str] = (),
    seeders: Sequence[str] = (),
    aria2_ui: bool = False,
    malformed: bool = False,
) -> list[dict[str, str]]:
    """Make the portal's page."""
    items = handed_on(catalogue_items)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(os.path.join(role, "templates")),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    values = {
        "lab": lab,
        "items": [portal_page.shown_item(item) for item in items],
        "announce_urls": portal_page.announce_urls(items),
        "trackers": trackers,
        "seeders": seeders,
        "aria2_ui": aria2_ui,
        "malformed": malformed_list() if malformed else [],
        "languages": {language: words["language"] for language, words in texts.items()},
    }
    template = environment.get_template("index.html.j2")
    made = {
        f"index.{language}.html": template.render(values, language=language, text=words).encode()
        for language, words in texts.items()
    }
    public = [item["info_hash"] for item in items if item["magnet"]]
    made.update({f"qr/{info_hash}.svg": code.encode() for info_hash, code in zip(public, codes)})
    made.update({file.name: file.read_bytes() for file in sorted(Path(role, "files").iterdir())})
    return [{"path": path, "content": base64.b64encode(content).decode()} for path, content in made.items()]


class FilterModule:
    """Tell Ansible the filter's name."""

    def filters(self) -> dict[str, Callable[..., list[dict[str, str]]]]:
        """Return the filters of this file."""
        return {"portal_files": portal_files}
