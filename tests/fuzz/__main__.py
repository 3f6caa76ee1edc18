"""``python -m tests.fuzz [TARGET ...] [--seconds S]``: each target for so long, in a process of its own.

With atheris where it is installed (guided by coverage, what reaches new code is kept in the cache), else by mutation alone.
What finds something is put among the kept inputs, and the status is 1.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
import time
from pathlib import Path

from .engine import CORPUS, Found, run

ROOT = Path(__file__).parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "uvirtio/fuzz"


def _guided(name: str, seconds: float) -> int:
    import atheris  # type: ignore[import-not-found,import-untyped,unused-ignore]

    with atheris.instrument_imports(include=["uvirtio", "uvirtio_drivers", "uvirtio_tools"]):
        from .targets import TARGETS
    grown = CACHE / name
    grown.mkdir(parents=True, exist_ok=True)
    options = [f"-max_total_time={int(seconds)}", "-max_len=4096", "-timeout=60", "-rss_limit_mb=2048"]
    options += [f"-artifact_prefix={CORPUS / name}/", "-print_final_stats=1", "-verbosity=0"]
    atheris.Setup([sys.argv[0], *options, str(grown), str(CORPUS / name)], TARGETS[name])
    atheris.Fuzz()  # ends the process
    return 0


def _alone(name: str, seconds: float) -> int:
    from .targets import TARGETS

    try:
        print(f"{name}: {run(name, TARGETS[name], seconds, time.time_ns())} inputs", flush=True)
    except Found as found:
        (CORPUS / name / found.digest).write_bytes(found.data)
        raise
    return 0


def main() -> int:
    """Fuzz."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="which (default: all)")
    parser.add_argument("--seconds", type=float, default=3600.0, help="for how long each (default: 3600)")
    parser.add_argument("--here", action="store_true", help="in this process")
    args = parser.parse_args()
    if args.here:
        guided = importlib.util.find_spec("atheris") is not None
        return (_guided if guided else _alone)(args.targets[0], args.seconds)
    names = args.targets or sorted(path.name for path in CORPUS.iterdir())
    commands = [[sys.executable, "-m", "tests.fuzz", "--here", "--seconds", str(args.seconds), name] for name in names]
    failed = 0
    waiting, running = list(zip(names, commands, strict=True)), dict[str, subprocess.Popen[bytes]]()
    while waiting or running:
        while waiting and len(running) < (os.cpu_count() or 1):
            name, command = waiting.pop(0)
            running[name] = subprocess.Popen(command, cwd=ROOT)
        for name, process in list(running.items()):
            if process.poll() is not None:
                del running[name]
                failed += process.returncode != 0
                print(f"{name}: {'FOUND SOMETHING' if process.returncode else 'nothing found'}", flush=True)
        time.sleep(0.5)
    return int(failed > 0)


if __name__ == "__main__":
    raise SystemExit(main())
