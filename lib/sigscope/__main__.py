"""Run a command: `python -m sigscope`."""

import sys

from sigscope.cli.main import main

sys.exit(main())
