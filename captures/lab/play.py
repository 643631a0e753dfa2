"""Scenarios by name, played one process each, and the `.md` that says what a capture shows.

In `expect` and `shows`, `[[display filter]]` becomes the numbers of the frames that match; a filter that matches no frame
fails the scenario, so the label and the bytes cannot drift apart.
"""
import datetime
import fnmatch
import multiprocessing
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
import traceback

from net import CAPTURES, Lab

SCENARIOS = {}
LARGEST = 64 * 1024


def scenario(path, expect, shows, filter, tools="Linux TCP by Python sockets", cause=None, **lab):
    """Registers a function `play(lab)` that plays one capture; `path` is below captures/, without suffix unless not `.pcap`.

    It returns the capture's path, or None for the one that the lab made.
    """
    def register(play):
        assert path not in SCENARIOS, path
        SCENARIOS[path] = dict(path=path, expect=expect, shows=shows, filter=filter, tools=tools, cause=cause, lab=lab, play=play)
        return play
    return register


def target(path):
    return CAPTURES / (path if re.search(r"\.(pcap|pcapng)\b", path) else path + ".pcap")


def numbers(file, filter):
    done = subprocess.run(["tshark", "-n", "-r", file, "-Y", filter, "-T", "fields", "-e", "frame.number"],
                          capture_output=True, text=True)
    found = done.stdout.split()
    if not found:
        raise AssertionError(f"no frame shows `{filter}` {done.stderr[-300:]}")
    return ("frame " if len(found) == 1 else "frames ") + ",".join(found if len(found) <= 12 else found[:11] + ["…"])


def versions():
    dump = subprocess.run(["tcpdump", "--version"], capture_output=True, text=True)
    first = (dump.stdout + dump.stderr).splitlines()[0].split()[-1]
    return f"Linux {os.uname().release.split('-')[0]}, Python {sys.version.split()[0]}, tcpdump {first}"


def describe(one, file):
    def fill(text):
        return re.sub(r"\[\[(.+?)\]\]", lambda m: numbers(file, m[1]), text)
    day = datetime.date.today().isoformat()
    stem = re.sub(r"\.(pcap|pcapng)(\..*)?$", "", str(file))
    pathlib.Path(stem + ".md").write_text(
        f"- **Source**: {one['tools']}; {versions()}, {day}, in network namespaces; `captures/lab/run {one['path']}`\n"
        f"- **Shows**: {fill(one['shows'])}\n- **Expect**: {fill(one['expect'])}\n"
        + (f"- **Cause**: `{one['cause']}`\n" if one["cause"] else "") + f"- **Filter**: `{one['filter']}`\n")


def play(one):
    file = target(one["path"])
    file.parent.mkdir(parents=True, exist_ok=True)
    if one["lab"].get("none"):
        made = one["play"](None)
    else:
        with Lab(**one["lab"]) as lab:
            made = one["play"](lab) or lab.stop()[0]
            shutil.copyfile(made, file)
            made = None
    if made and pathlib.Path(made) != file:
        shutil.copyfile(made, file)
    if file.stat().st_size > LARGEST:
        raise AssertionError(f"{file.stat().st_size} bytes are more than {LARGEST}")
    describe(one, file)


def child(path):
    try:
        play(SCENARIOS[path])
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def run(paths, at_once=12):
    """Plays the scenarios, so many at once; gives the names of those that failed."""
    waiting, running, failed = list(paths), {}, []
    context = multiprocessing.get_context("fork")
    while waiting or running:
        while waiting and len(running) < at_once:
            path = waiting.pop(0)
            running[path] = context.Process(target=child, args=(path,))
            running[path].start()
        time.sleep(0.1)
        for path, process in list(running.items()):
            if not process.is_alive():
                process.join()
                del running[path]
                print("ok  " if process.exitcode == 0 else "FAIL", path, flush=True)
                if process.exitcode:
                    failed.append(path)
    return failed


def matching(patterns):
    return [p for p in SCENARIOS if not patterns or any(fnmatch.fnmatch(p, f"*{x}*") for x in patterns)]
