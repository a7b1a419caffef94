"""The pages: that of a results folder, that of tables made elsewhere, and that of kept sets."""

from analysis.page.agreement_page import AgreementPage
from analysis.page.imported_page import ImportedPage
from analysis.page.results_page import ResultsPage

__all__ = ["AgreementPage", "ImportedPage", "ResultsPage"]
