#!/usr/bin/env python3
"""Compare the catalogue engine with other torrent makers on the same data, in one run.

    make bench                    4 GiB in one file, 1 GiB in 10,000 files, 3 rounds (6 GiB of disk, some minutes)
    bench/run.py --quick          256 MiB and 1,000 files

Every tool runs as a process of its own, in turn, round after round; the medians are shown, and how many times
as long as ours each took. Tools that are not installed are named and left out. The other torrent makers come
with `apt install mktorrent transmission-cli` and `pip install torf libtorrent`. Where others use the machine
meanwhile, the processor seconds tell more than the seconds.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
GIB = 2**30
KIB = 2**10


@dataclass
class Tool:
    """One command that is measured."""

    name: str
    command: list[str]
    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    peak_mib: float = 0.0
    rates: list[float] = field(default_factory=list)  # of tools that tell their own, in bytes a second

    def run(self, fresh: Path | None) -> None:
        if fresh:
            shutil.rmtree(fresh, ignore_errors=True)
            fresh.mkdir()
        began = time.monotonic()
        process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert process.stdout
        output = process.stdout.read().decode(errors="replace")
        _pid, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.seconds.append(time.monotonic() - began)
        self.cpu.append(usage.ru_utime + usage.ru_stime)
        self.peak_mib = max(self.peak_mib, usage.ru_maxrss / 1024)
        if process.returncode:
            sys.exit(f"{' '.join(self.command)} ended with {process.returncode}: {output[-500:]}")
        rate = re.search(r"^sha1 .* ([0-9.]+)k$", output, re.MULTILINE)
        if rate:
            self.rates.append(float(rate[1]) * 1000)


@dataclass
class Race:
    """Tools on the same data."""

    title: str
    size: int
    tools: list[Tool]
    fresh: Path | None = None  # emptied before each tool
    aims: str = ""

    def run(self, rounds: int) -> None:
        for number in range(rounds + 1):
            for tool in self.tools:
                tool.run(self.fresh)
            if not number:  # the first round only warms the page cache
                for tool in self.tools:
                    tool.seconds.clear()
                    tool.cpu.clear()
                    tool.rates.clear()
            print(".", end="", file=sys.stderr, flush=True)

    def rate(self, tool: Tool) -> float:
        return statistics.median(tool.rates) if tool.rates else self.size / statistics.median(tool.seconds)

    def table(self) -> str:
        own = self.rate(self.tools[0])
        lines = [
            f"\n### {self.title}",
            "",
            "| tool | GB/s | seconds | processor s | ours is ... times | peak MiB a process |",
        ]
        lines.append("|---|---|---|---|---|---|")
        for tool in self.tools:
            rate, seconds = self.rate(tool), statistics.median(tool.seconds)
            cells = ["", ""] if tool.rates else [f"{seconds:.2f}", f"{statistics.median(tool.cpu):.2f}"]
            cells = [tool.name, f"{rate / 1e9:.2f}", *cells, f"{own / rate:.2f}", f"{tool.peak_mib:.0f}"]
            lines.append(f"| {' | '.join(cells)} |")
        return "\n".join([*lines, "", self.aims] if self.aims else lines)


def own(*arguments: object) -> Tool:
    return Tool("Seedbed", [sys.executable, "-I", "-S", str(HERE / "own.py"), *map(str, arguments)])


def floor() -> Tool:
    cores = str(len(os.sched_getaffinity(0)))
    command = ["openssl", "speed", "-seconds", "2", "-bytes", "16384", "-multi", cores, "-evp", "sha1"]
    return Tool("(openssl speed, SHA-1 on every core)", command)


def peers(path: Path, piece: int, version: str, scratch: Path) -> list[Tool]:
    """The other makers that are installed and can make this."""
    out, cores = scratch / "out.torrent", str(len(os.sched_getaffinity(0)))
    found = []
    exponent = str(piece.bit_length() - 1)
    fresh = ["sh", "-c", 'rm -f "$0"; exec "$@"', str(out)]
    if version == "v1":
        found += [
            Tool(
                f"mktorrent -t {cores}", [*fresh, "mktorrent", "-t", cores, "-l", exponent, "-o", str(out), str(path)]
            ),
            Tool(
                "transmission-create",
                [*fresh, "transmission-create", "-s", str(piece // KIB), "-o", str(out), str(path)],
            ),
        ]
    libraries = ["torf", "libtorrent"] if version == "v1" else ["libtorrent"]
    for name in libraries:
        if importlib.util.find_spec(name):
            found.append(Tool(name, [sys.executable, str(HERE / "peer.py"), name, str(path), str(piece), version]))
        else:
            print(f"left out: {name} is not installed", file=sys.stderr)
    for tool in list(found):
        program = tool.command[4] if tool.command[0] == "sh" else tool.command[0]
        if not shutil.which(program):
            print(f"left out: {program} is not installed", file=sys.stderr)
            found.remove(tool)
    return found


def races(root: Path, large: int, files: int, small: int) -> list[Race]:
    big, many, scratch = root / "large" / "made", root / "many" / "made", root / "scratch"
    for path, size, count in ((big, large, 1), (many, small, files)):
        path.parent.mkdir()
        own("make", path.parent, size, count).run(None)
    aim = "Aim: 1.1 times mktorrent and 0.9 of the floor."
    found = []
    for piece in (256 * KIB, 1024 * KIB, 4096 * KIB):
        tools = [own("hash", big, piece, "v1"), *peers(big, piece, "v1", root), floor()]
        found.append(Race(f"{large / GIB:g} GiB in one file, v1, {piece // KIB} KiB pieces", large, tools, None, aim))
    tools = [own("hash", big, 1024 * KIB, "hybrid"), *peers(big, 1024 * KIB, "hybrid", root)]
    aim = "Aim: 1.7 times libtorrent."
    found.append(Race(f"{large / GIB:g} GiB in one file, hybrid, 1024 KiB pieces", large, tools, None, aim))
    title = f"{small / GIB:g} GiB in {files} files"
    tools = [own("hash", many, 256 * KIB, "v1"), *peers(many, 256 * KIB, "v1", root)]
    found.append(Race(f"{title}, v1, 256 KiB pieces", small, tools, None, "Aim: level with mktorrent."))
    tools = [own("hash", many, 256 * KIB, "hybrid"), *peers(many, 256 * KIB, "hybrid", root)]
    found.append(Race(f"{title}, hybrid, 256 KiB pieces", small, tools, None, "Aim: 1.6 times libtorrent."))
    found.append(Race("content computed on one core", small, [own("generate", small)], None, "Aim: 2 GB/s."))
    for count in (1, files):
        tools = [own("make", scratch, small, count)]
        found.append(
            Race(
                f"{small / GIB:g} GiB made in {count} files, written, hashed with SHA-1 and SHA-256",
                small,
                tools,
                scratch,
            )
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small data: to see that it works")
    parser.add_argument("--rounds", type=int, default=3, help="rounds after the warm-up (default 3)")
    parser.add_argument("--dir", default="/var/tmp", help="where the data is made and removed again")
    parser.add_argument("--json", help="also write the figures to this file")
    options = parser.parse_args()
    large, files, small = (GIB // 4, 1000, GIB // 8) if options.quick else (4 * GIB, 10_000, GIB)
    need = large + 2 * small + GIB // 4
    free = shutil.disk_usage(options.dir).free
    if free < need:
        sys.exit(
            f"needs {need / GIB:.1f} GiB in {options.dir}, {free / GIB:.1f} GiB are free; --dir names another place"
        )
    cores = len(os.sched_getaffinity(0))
    print(
        f"{cores} processors, Python {sys.version.split()[0]}, load {os.getloadavg()[0]:.1f}, {options.rounds} rounds"
    )
    results = []
    with tempfile.TemporaryDirectory(dir=options.dir, prefix="seedbed-bench-") as root:
        print("making the data ", end="", file=sys.stderr, flush=True)
        for race in races(Path(root), large, files, small):
            race.run(options.rounds)
            print(race.table(), flush=True)
            rows = {tool.name: {"rate": race.rate(tool), "peak_mib": tool.peak_mib} for tool in race.tools}
            results.append({"title": race.title, "tools": rows})
    print(f"\nload at the end: {os.getloadavg()[0]:.1f}")
    if options.json:
        Path(options.json).write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
