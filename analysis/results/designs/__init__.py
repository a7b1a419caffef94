"""Designs as a results folder has them: what sets of masks mean, and the outcomes of these masks."""

from analysis.results.designs.stored_design import StoredDesign, design_domains, masks_of_designs, stored_designs

__all__ = ["StoredDesign", "design_domains", "masks_of_designs", "stored_designs"]
