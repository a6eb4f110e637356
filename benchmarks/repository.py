"""Where this checkout is; importing it makes the benchmarks measure this checkout's package, not an installed one."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

sys.path.insert(0, str(ROOT))
