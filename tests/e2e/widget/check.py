"""Starts the local server and lets a browser use the demo app's page."""

import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from driver import Local  # noqa: E402

with tempfile.TemporaryDirectory() as folder, Local(sys.argv[1], folder, APP_PORT="0", PROVIDER_PORT="0") as local:
    subprocess.run(["node", HERE / "modes.cjs", local.env["APP_URL"]], check=True, timeout=300)
