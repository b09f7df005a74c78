#!/usr/bin/python
"""Publish a set of files: written all at once, strangers of the directory's own kind removed."""

from __future__ import annotations

DOCUMENTATION = r"""
module: torrent_file
short_description: Publish .torrent files and what goes with them
description:
  - Writes a whole set of binary files below one directory, each to a temporary name that is then renamed. Links come
    first, then files from the deepest folder up, in their order, and removals last, so that an index at the top never
    names what is not there.
  - Removes the files that an earlier run published and this one does not. Others are left alone.
  - Writes nothing where nothing differs.
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    description: Names the files that differ, never their contents.
options:
  directory:
    description: Directory that the files are published in; made if it is missing.
    type: path
    required: true
  files:
    description: The files to publish.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: Path below O(directory).
        type: str
        required: true
      content:
        description: The contents, as base64.
        type: str
        required: true
  links:
    description: Symbolic links to publish, by path below O(directory), with the path that each points to.
    type: dict
    default: {}
  owned:
    description: Shell patterns (like V(torrents/*.torrent)) of files below O(directory) that are ours to remove.
    type: list
    elements: str
    default: []
  absent:
    description: Paths below O(directory) of files to remove.
    type: list
    elements: str
    default: []
  role:
    description:
      - For which role what is written is noted as ours, see M(owned). Then nothing is removed that is not noted.
    type: str
    default: ""
  mode:
    description: Mode of the files, in octal.
    type: str
    default: "0644"
  beside:
    description: More such sets, published in this call after the first, in their order. Each has the options of one.
    type: list
    elements: dict
    default: []
"""

EXAMPLES = r"""
- name: Publish the catalogue
  torrent_file:
    directory: /srv/seedbed/portal
    files: "{{ made.files_json | from_json }}"
    owned: [torrents/*.torrent]
"""

RETURN = r"""
written:
  description: Paths of the files that were written.
  returned: always
  type: list
  elements: str
  sample: [catalogue.json]
removed:
  description: Paths of the files that were removed.
  returned: always
  type: list
  elements: str
  sample: []
"""

import re
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.seedbed.base.errors import SeedbedError
from ansible.module_utils.seedbed.host.published_files import publish_files

SET: dict[str, dict[str, Any]] = {
    "directory": {"type": "path", "required": True},
    "files": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {"path": {"type": "str", "required": True}, "content": {"type": "str", "required": True}},
    },
    "links": {"type": "dict", "default": {}},
    "owned": {"type": "list", "elements": "str", "default": []},
    "absent": {"type": "list", "elements": "str", "default": []},
    "role": {"type": "str", "default": ""},
    "mode": {"type": "str", "default": "0644"},
}


def publish(params: dict[str, Any], *, check: bool) -> tuple[list[str], list[str]]:
    """Publish one set; return the paths that were written and those that were removed."""
    return publish_files(
        params["directory"],
        {file["path"]: file["content"] for file in params["files"]},
        links=params["links"],
        owned=params["owned"],
        absent=params["absent"],
        mode=int(params["mode"], 8),
        role=params["role"],
        check=check,
    )


def main() -> None:
    """Read the parameters, publish, return what changed."""
    beside = {"type": "list", "elements": "dict", "default": [], "options": SET}
    module = AnsibleModule(argument_spec={**SET, "beside": beside}, supports_check_mode=True)
    sets = [module.params, *module.params["beside"]]
    for mode in (each["mode"] for each in sets):
        if not re.fullmatch("0*[0-7]{1,4}", mode):
            module.fail_json(msg=f"mode: expected octal digits such as 0644, got {mode!r}")
    try:
        published = [publish(each, check=module.check_mode) for each in sets]
    except SeedbedError as error:
        module.fail_json(msg=str(error))
    written = [path for paths, _removed in published for path in paths]
    removed = [path for _written, paths in published for path in paths]
    module.exit_json(
        changed=bool(written or removed),
        written=written,
        removed=removed,
        diff={"before": "".join(f"{path}\n" for path in removed), "after": "".join(f"{path}\n" for path in written)},
    )


if __name__ == "__main__":
    main()
