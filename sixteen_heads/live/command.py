"""`study serve`: a live page of a study while it runs: jobs, effects so far, time left. It needs no network."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from launchers.sweep.folder import USUAL
from sixteen_heads.browser import open_in_browser
from sixteen_heads.live.page import LivePage
from sixteen_heads.live.server import LiveServer

EPILOG = """The page refreshes by itself. It only shows: jobs go on when it ends. To look at it from another machine:
`ssh -L PORT:127.0.0.1:PORT HOST`, then the same address there."""


def serve(arguments: Sequence[str], prog: str) -> int:
    """Serve until Ctrl-C; the exit status."""
    parser = argparse.ArgumentParser(prog=f"{prog} serve", description=__doc__, epilog=EPILOG)
    parser.add_argument("results", nargs="?", type=Path, default=Path("results"), help="results folder (results)")
    parser.add_argument("--folder", type=Path, default=Path(USUAL), help=f"where sweeps are kept ({USUAL})")
    parser.add_argument("--port", type=int, default=0, help="a port of this machine (any that is free)")
    parser.add_argument("--no-browser", action="store_true", help="print the address, and open no browser")
    options = parser.parse_args(arguments)
    try:
        server = LiveServer(LivePage(options.results, options.folder), options.port)
    except (OSError, OverflowError) as error:
        print(f"{prog} serve: port {options.port}: {error}. Without --port a free one is taken", file=sys.stderr)
        return 2
    print(f"{options.results} is shown live at {server.url}, to this machine only. Ctrl-C ends it; jobs go on.")
    sys.stdout.flush()
    if not options.no_browser:
        open_in_browser(server.url)
    with server:
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print("\nThe live page has ended; what runs goes on.", file=sys.stderr)
    return 0
