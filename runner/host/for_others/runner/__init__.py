"""Puts the whole program in its own place, where it was imported from a folder that has nothing else."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

_program = Path(__file__).resolve().parents[3]
_spec = spec_from_file_location("runner", _program / "__init__.py", submodule_search_locations=[str(_program)])
if __name__ == "runner" and _spec is not None and _spec.loader is not None:
    sys.modules["runner"] = module_from_spec(_spec)
    _spec.loader.exec_module(sys.modules["runner"])
