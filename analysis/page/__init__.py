"""The pages: of a results folder, of tables made elsewhere, of kept sets, of sentences that were only read."""

from analysis.page.agreement_page import AgreementPage
from analysis.page.attention_page import AttentionPage
from analysis.page.imported_page import ImportedPage
from analysis.page.results_page import ResultsPage

__all__ = ["AgreementPage", "AttentionPage", "ImportedPage", "ResultsPage"]
