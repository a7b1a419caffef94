"""The pages: that of a results folder, and that of tables made elsewhere."""

from analysis.page.imported_page import ImportedPage
from analysis.page.results_page import ResultsPage

__all__ = ["ImportedPage", "ResultsPage"]
