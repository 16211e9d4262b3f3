"""Runs ``sdibench`` commands in forks of one process that has imported everything, and kills them where it is asked to.

A line of JSON on standard input is an order, a line on standard output its result:
``arguments`` are the command's, ``copies`` how many processes run it at once, ``log`` the file for their output;
``kill_after`` seconds, or before the file operation number ``kill_at`` on a path below ``folder``, they are killed.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import time
from pathlib import Path

OPERATIONS = {
    "open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "os.scandir", "fcntl.flock",
    "shutil.rmtree",
}  # fmt: skip


def main() -> None:
    """Import what every command needs, then serve."""
    for late in ("bench.commands.report", "bench.commands.score", "skimage.metrics", "torch._inductor"):
        importlib.import_module(late)
    import bench.cli
    import bench.commands.report
    import bench.commands.run
    from bench.study.study import load_study
    from methods.distillation import methods
    from methods.priors.loading import cached_prior
    from metrics import metrics
    from reports.figures.drawing import style

    blank = {"svg": b"<svg></svg>\n", "pdf": b"%PDF-1.4\n%%EOF\n"}  # drawing takes longer than all the rest
    bench.commands.report.FINE_POINTS = 20  # and fine meshes half of that
    style._save = lambda draw, theme, *kinds: [blank[kind] for kind in kinds]
    methods.names()
    metrics.names()
    study = load_study("tiny.toml")
    bench.commands.run.expand(study)  # what it imports on the way
    cached_prior(*study.prior.arguments)
    for name in study.metrics:  # whose models every fork then has
        metrics[name](study.scorer_suite)
    answer = os.fdopen(os.dup(1), "w", buffering=1)
    print(json.dumps("ready"), file=answer)
    for line in sys.stdin:
        print(json.dumps(serve(json.loads(line))), file=answer)


def serve(order: dict) -> dict:
    """Carry out one order."""
    start = time.perf_counter()
    left = {fork(order): None for _ in range(order.get("copies", 1))}
    statuses = []
    deadline = start + (order.get("kill_after") or float("inf"))
    while left:
        for process in list(left):
            ended, status = os.waitpid(process, os.WNOHANG)
            if ended:
                del left[process]
                statuses.append(os.waitstatus_to_exitcode(status))
            elif time.perf_counter() > deadline:
                os.kill(process, signal.SIGKILL)
        time.sleep(0.001)
    count = Path(order["log"] + ".count")
    operations = int(count.read_text()) if count.exists() else 0
    return {"statuses": statuses, "operations": operations, "seconds": time.perf_counter() - start}


def fork(order: dict) -> int:
    """Begin the command in a process of its own and return its number."""
    process = os.fork()
    if process:
        return process
    status = 70
    try:
        log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        done = count_operations(order.get("kill_at"), order["folder"])
        from bench.cli import main as command

        status = command(order["arguments"])
        Path(order["log"] + ".count").write_text(str(done[0]))
    except BaseException:  # noqa: BLE001, its number is all that leaves a fork
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def count_operations(kill_at: int | None, folder: str) -> list[int]:
    """Count the file operations below ``folder`` from now on, and die before number ``kill_at``."""
    done = [0]

    def hook(event: str, given: tuple) -> None:
        if event in OPERATIONS and (event == "fcntl.flock" or any(folder in str(each) for each in given)):
            done[0] += 1
            if done[0] == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    return done


if __name__ == "__main__":
    main()
