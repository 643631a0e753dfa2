#!/usr/bin/env python3
"""Makes the TLS and HTTP captures: `web.py [-j N] [PATTERN…]`, as root, with the tools of `actors.py` installed.

Each scenario writes `captures/<path>.pcap` and its `.md`. A capture above 64 KiB, or one in which the scenario's
filter finds nothing, is refused.
"""
import concurrent.futures
import subprocess
import sys
import time
import traceback

import actors
import pki
import stage
from stage import CAPTURES, LAB

import tls_cert        # noqa: F401  (each registers its scenarios)
import tls_handshake   # noqa: F401
import http_answers    # noqa: F401
import quiet           # noqa: F401
import far             # noqa: F401
import client_tls      # noqa: F401
import plain_words     # noqa: F401
import near            # noqa: F401
import compared        # noqa: F401
import compared_tls    # noqa: F401
import bodies          # noqa: F401
import payloads        # noqa: F401
import tlcp_ends       # noqa: F401
import revocation      # noqa: F401
import proxies         # noqa: F401
import lesser          # noqa: F401
import keyed           # noqa: F401
import private         # noqa: F401
import quic_ends       # noqa: F401
import http2_ends      # noqa: F401

LIMIT = 64 * 1024


def describe(entry, tools, out, date):
    expect = ", ".join(f"`{code}`" for code in entry["expect"]) if entry["expect"] else "silent"
    where = {"c": "client", "s": "server", "g": "gateway"}[entry["at"][0]]
    tools = ", ".join(actors.version(t) for t in tools)
    lines = [f"- **Source**: {tools}; {actors.version('tcpdump')} at the {where}, {date}, "
             f"in network namespaces; `captures/lab/web.py {entry['path']}`",
             f"- **Shows**: {entry['shows']}",
             f"- **Expect**: {expect}" + (f" — {entry['note']}" if entry["note"] else ""),
             f"- **Filter**: `{entry['filter']}`"]
    if entry["ca"]:
        lines.insert(3, f"- **CA**: {entry['ca']}")
    if entry["stage"].get("keys") == "beside":
        lines.insert(3, f"- **Keys**: `{out.stem}.keys` beside it, as `--keylog`")
    elif entry["stage"].get("keys"):
        lines.insert(3, "- **Keys**: in a secrets block of the capture, put there by editcap")
    if (out.parent / "endpoints.toml").exists():
        lines.insert(3, "- **Rules**: `endpoints.toml` beside it, as `--endpoints`")
    out.with_suffix(".md").write_text("\n".join(lines) + "\n")


def frames(path, display):
    """The numbers of the frames that a display filter finds."""
    done = subprocess.run(["tshark", "-n", "-r", path, "-Y", display, "-T", "fields", "-e", "frame.number"],
                          capture_output=True, text=True)
    return [int(n) for n in done.stdout.split()]


def make(entry):
    setup = dict(entry["stage"])
    form = setup.get("form", "pcap")
    keys = setup.get("keys")
    out = CAPTURES / (entry["path"] + (".pcapng" if form == "pcapng" or keys == "inside" else ".pcap"))
    with stage.Stage(**setup) as st:
        st.entry = entry
        entry["play"](st)
        if st.capture_process.poll() is None:
            st.stop()
        if st.raw.stat().st_size > LIMIT:
            raise RuntimeError(f"{st.raw.stat().st_size} bytes")
        if entry["until"]:
            first = frames(st.raw, entry["until"])[0]
            subprocess.run(["editcap", "-F", "pcap", "-r", st.raw, st.dir / "cut", f"1-{first - 1}"], check=True)
            st.raw = st.dir / "cut"
        secrets = ["-o", f"tls.keylog_file:{st.keys}"] if keys else []
        found = subprocess.run(["tshark", "-n", "-r", st.raw, *secrets, "-Y", entry["filter"]], capture_output=True, text=True)
        if found.returncode or not found.stdout.strip():
            raise RuntimeError(f"the filter finds nothing {found.stderr}\n{st.said()}")
        out.parent.mkdir(parents=True, exist_ok=True)
        if keys == "inside":
            subprocess.run(["editcap", "-F", "pcapng", "--inject-secrets", f"tls,{st.keys}", st.raw, out], check=True)
        elif form == "pcapng":
            subprocess.run(["editcap", "-F", "pcapng", st.raw, out], check=True)
        else:
            out.write_bytes(st.raw.read_bytes())
        if keys == "beside":
            out.with_suffix(".keys").write_bytes(st.keys.read_bytes())
        describe(entry, st.tools, out, time.strftime("%Y-%m-%d"))
        (LAB / ".work" / "logs").mkdir(exist_ok=True, parents=True)
        (LAB / ".work" / "logs" / (entry["path"].replace("/", "_") + ".log")).write_text(st.said())


def main(argv):
    jobs = 4
    if argv[:1] == ["-j"]:
        jobs, argv = int(argv[1]), argv[2:]
    pki.ensure()
    if not (LAB / ".work" / "Tls.class").exists():
        subprocess.run(["javac", "-nowarn", "-d", LAB / ".work", LAB / "Tls.java"], check=True)
    failed = 0

    def guarded(entry):
        try:
            make(entry)
            return entry["path"], None
        except Exception:
            return entry["path"], traceback.format_exc()

    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for path, error in pool.map(guarded, stage.matching(argv)):
            print(("FAILED " if error else "made ") + path + (f"\n{error}" if error else ""), flush=True)
            failed += bool(error)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
