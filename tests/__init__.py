"""The tests write bytecode in any environment: else each worker compiles all files by itself."""

import os
import sys

sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
