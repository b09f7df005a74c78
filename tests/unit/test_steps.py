"""What callback steps shows of a run, and what of a run that fails."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLAYBOOK = """
- name: Prepare
  hosts: all
  gather_facts: false
  strategy: {strategy}
  tasks:
    - name: Write what is wanted
      ansible.builtin.include_role:
        name: writer
    - name: Leave two alone
      ansible.builtin.import_role:
        name: writer
      when: inventory_hostname == 'a'
- name: Prepare more
  hosts: all
  gather_facts: false
  strategy: {strategy}
  tasks:
    - name: Run one role after the other
      ansible.builtin.include_role:
        name: "{{{{ role }}}}"
      loop: [reader, writer]
      loop_control: {{loop_var: role}}
- name: Tell
  hosts: a
  gather_facts: false
  tasks:
    - name: Summarise
      show_lines:
        lines: [{{text: Portal     http://192.0.2.1/}}]
    - name: Say it
      ansible.builtin.debug:
        msg: the word of debug
    - name: Do what may fail
      ansible.builtin.command: "{command}"
      changed_when: false # it only writes to its output
"""
ROLE = """
- name: first | Change two of the hosts
  ansible.builtin.set_fact:
    changed: true
  changed_when: inventory_hostname != 'c'
  notify: Do it at the end
- name: second | Include more of it
  ansible.builtin.include_tasks: more.yml
"""
HANDLER = """
- name: Do it at the end
  ansible.builtin.command: "true"
  async: 60
  poll: 1
  changed_when: inventory_hostname == 'c'
"""
MORE = """
- name: more | Remember something
  ansible.builtin.set_fact:
    something: true
  loop: [1, 2]
"""


def play(directory: Path, *arguments: str, strategy: str = "linear", command: str = "true", **setting: str) -> str:
    """Return what a run with three hosts shows, without colours unless they are asked for."""
    tasks = directory / "roles" / "writer" / "tasks"
    tasks.mkdir(parents=True, exist_ok=True)
    (tasks / "main.yml").write_text(ROLE, encoding="utf-8")
    (directory / "roles" / "writer" / "handlers").mkdir(exist_ok=True)
    (directory / "roles" / "writer" / "handlers" / "main.yml").write_text(HANDLER, encoding="utf-8")
    (tasks / "more.yml").write_text(MORE, encoding="utf-8")
    reader = directory / "roles" / "reader" / "tasks"
    reader.mkdir(parents=True, exist_ok=True)
    (reader / "main.yml").write_text(MORE, encoding="utf-8")
    done = run(directory, PLAYBOOK.format(strategy=strategy, command=command), *arguments, **setting)
    assert (done.returncode == 0) == (command == "true"), done.stdout + done.stderr
    assert "Callback dispatch" not in done.stderr
    return done.stdout


def run(directory: Path, text: str, *arguments: str, **setting: str) -> subprocess.CompletedProcess[str]:
    playbook = directory / "playbook.yml"
    playbook.write_text(text, encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if "COLOR" not in name}
    return subprocess.run(
        ["ansible-playbook", "--inventory=a,b,c", "--connection=local", str(playbook), *arguments],
        cwd=ROOT,
        env={**environment, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_STDOUT_CALLBACK": "steps", **setting},
        capture_output=True,
        text=True,
        check=False,
    )


def steps(shown: str) -> list[str]:
    return [re.sub(r"^ +\d+\.\d s  ", "", line) for line in shown.splitlines() if re.match(r" +\d+\.\d s  ", line)]


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> str:
    return play(tmp_path_factory.mktemp("failed"), command="ls /never-there")


def test_a_step_is_a_line_with_its_hosts_and_its_time(failed: str) -> None:
    assert steps(failed) == [
        "Write what is wanted: 3 hosts, 2 changed",
        "Leave two alone: 2 hosts, 1 changed",
        "reader: 3 hosts",
        "writer: 3 hosts, 2 changed",
        "Tell: 1 host",
    ]
    for hidden in ("Remember something", "included:", "ASYNC"):
        assert hidden not in failed


def test_a_failure_is_shown_in_full_and_debug_too(failed: str) -> None:
    for shown in ("TASK [Do what may fail]", "fatal: [a]: FAILED!", "    rc: 2", "/never-there", "the word of debug"):
        assert shown in failed


def test_the_lines_for_people_come_last(failed: str) -> None:
    *_, last = failed.rstrip().splitlines()
    assert last == "Portal     http://192.0.2.1/"


def test_hosts_at_their_own_pace_are_counted_in_the_same_steps(tmp_path: Path) -> None:
    shown = play(tmp_path, strategy="free")
    assert {line.split(":")[0] for line in steps(shown)} == {
        *("Write what is wanted", "Leave two alone", "reader", "writer", "Tell")
    }


UNEVEN = """
- name: Prepare
  hosts: all
  gather_facts: false
  strategy: free
  tasks:
    - name: Wait until another one is through
      ansible.builtin.wait_for:
        path: "{{ through }}"
        timeout: 60
      when: inventory_hostname == 'c'
    - name: Run one role after the other
      ansible.builtin.include_role:
        name: "{{ role }}"
      loop: "{{ ['reader', 'writer'] if inventory_hostname != 'b' else ['reader'] }}"
      loop_control: {loop_var: role}
    - name: Leave one out
      ansible.builtin.include_role:
        name: sleeper
      when: inventory_hostname != 'c'
    - name: Be through
      ansible.builtin.file:
        path: "{{ through }}"
        state: touch
        mode: "0600"
      when: inventory_hostname == 'a'
"""


def test_who_comes_late_to_a_step_gives_it_no_second_line(tmp_path: Path) -> None:
    """Host c comes to what the others have done when a is through with all of it."""
    for role in ("reader", "writer", "sleeper"):
        tasks = tmp_path / "roles" / role / "tasks"
        tasks.mkdir(parents=True)
        (tasks / "main.yml").write_text(MORE, encoding="utf-8")
    done = run(tmp_path, UNEVEN, "-e", f"through={tmp_path}/through")
    assert done.returncode == 0, done.stdout
    shown = steps(done.stdout)
    assert {line.split(",")[0] for line in shown} == {
        *("Prepare: 3 hosts", "reader: 3 hosts", "writer: 2 hosts", "Leave one out: 2 hosts")
    }
    assert len(shown) == 4


def test_verbose_shows_every_task_and_colours_are_for_who_asks(tmp_path: Path, failed: str) -> None:
    shown = play(tmp_path, "-v", ANSIBLE_FORCE_COLOR="1")
    assert steps(shown) == []
    for line in ("TASK [writer : more | Remember something]", "ok: [b] => (item=1)", "included:", "changed: [b]"):
        assert line in shown
    assert "\x1b[0;33m" in shown
    assert "\x1b" not in failed
