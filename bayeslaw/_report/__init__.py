"""`report`: a posterior and its decision on one self-contained HTML page, for those who have to decide."""

from bayeslaw._report._asked import default_given
from bayeslaw._report._page import report

__all__ = ["default_given", "report"]
