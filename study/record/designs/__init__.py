"""Designs: what a set of masks means, stored beside the rows of a setting.

    results/<model>/<data>/<setting id>/designs/<id>.json

`design` is what a design is, `files` how one is kept; `standard` are those that need no file; `pairs` and `coalitions`
make others. `estimates` are what the scores of coalitions say of each unit.
"""

from study.record.designs.design import Design, DesignKind
from study.record.designs.files import DesignError, read_designs, write_design
from study.record.designs.standard import standard_designs

__all__ = ["Design", "DesignError", "DesignKind", "read_designs", "standard_designs", "write_design"]
