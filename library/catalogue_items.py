"""Ansible module: the items of a catalogue. It runs on the controller alone, as action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: catalogue_items
short_description: Make the torrents of a catalogue, ready to seed and to publish
description:
  - Joins what M(catalogue_specs) returned with what module M(catalogue_payload) returned on each host, makes the
    torrents, and tells in sentences what could not be done.
  - Content that no host has hashed is computed on every processor; what took long is kept below C(ANSIBLE_HOME).
  - Runs on the controller, once a play, and changes nothing on any host.
options:
  resolved_json:
    description: What M(catalogue_specs) returned under this name.
    type: str
    required: true
  results:
    description: By host that can be asked, the result of M(catalogue_payload) there.
    type: dict
    required: true
  portals:
    description: The hosts of group C(portals); their addresses are read from their variables.
    type: list
    elements: str
    required: true
  seeders:
    description: All hosts of group C(seeders), those too that cannot be asked.
    type: list
    elements: str
    default: []
  scripted_peers:
    description: All hosts of group C(scripted_peers), those too that cannot be asked.
    type: list
    elements: str
    default: []
  absent:
    description: Those of them that are left out on purpose.
    type: list
    elements: str
    default: []
  directory:
    description:
      - The lab's directory on the controller. There lie the items of the last run that had all its seeders and scripted
        peers; what only hosts have that cannot be asked stays published as it was then. Empty to keep nothing.
    type: path
    default: ""
  lab:
    description: The lab's name, for the head of the catalogue.
    type: str
    required: true
  malformed:
    description: Whether to publish malformed C(.torrent) files, too.
    type: bool
    default: false
  odd:
    description: Whether to publish odd C(.torrent) files that every client loads, too.
    type: bool
    default: false
  impairments:
    description: What M(impairment) has begun on each host and is published beside the items; null for nothing.
    type: dict
    default: {}
attributes:
  check_mode:
    support: full
    description: It changes nothing, so it does the same in check mode.
seealso:
  - module: catalogue_specs
  - module: transmission_torrents
  - module: torrent_file
"""

EXAMPLES = r"""
- name: Make the torrents
  catalogue_items:
    resolved_json: "{{ resolved.resolved_json }}"
    results: {seeder1: "{{ hostvars['seeder1']['payload_result'] }}"}
    portals: "{{ groups['portals'] }}"
    lab: seedbed
  run_once: true
  register: made
"""

RETURN = r"""
items_json:
  description: The items as JSON text, which Ansible hands on whole; it would walk every value of a list at each use.
  returned: success
  type: str
  sample: "[]"
torrents_json:
  description: By host that seeds, the parameter C(torrents) of module M(transmission_torrents) as JSON text.
  returned: success
  type: dict
  sample: {seeder1: "[]"}
files_json:
  description: The parameter C(files) of module M(torrent_file), as JSON text.
  returned: success
  type: str
  sample: '[{"path":"catalogue.json","content":"eyJzY2hlbWFfdmVyc2lvbiI6IDF9"}]'
gone:
  description: Names of what is absent.
  returned: success
  type: list
  elements: str
  sample: []
failures:
  description: What could not be done, as sentences that begin with the host.
  returned: success
  type: list
  elements: str
  sample: ["seeder1: film.mkv: /srv/media/film.mkv does not exist"]
notes:
  description:
    - Sentences about entries that a seeder cannot hold for its version of Transmission, while others do and nobody
      asked for this one by name.
  returned: success
  type: list
  elements: str
  sample: ["seeder2: hybrid-files: Transmission 3.00 cannot load hybrid torrents; a seeder with version 4 would do"]
"""
