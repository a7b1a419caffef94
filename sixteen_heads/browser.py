"""Opening a page in the user's browser, where there is a screen to show it on."""

import os
import sys
import webbrowser


def open_in_browser(url: str) -> bool:
    """Open an address in a browser; whether there was one.

    Without a screen nothing is opened: a browser of text would take the terminal.
    """
    graphical = sys.platform in ("darwin", "win32") or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )
    return (graphical or "BROWSER" in os.environ) and webbrowser.open(url)
