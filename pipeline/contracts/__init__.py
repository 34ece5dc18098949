"""Row contracts: what a row of a canonical table must satisfy, and which staged rows do not.

Every rule is declared once (`rules`) and knows both its pandera check and its SQL predicate. Small batches are
validated by the pandera schema, big ones by one pass of SQL; the verdicts are the same.
"""

from __future__ import annotations

from pipeline.contracts.judging import PANDERA_UP_TO_ROWS, judge, judge_in_one_pass
from pipeline.contracts.rules import Rule, rules_of, sql_rules
from pipeline.contracts.schemas import schema

__all__ = ["PANDERA_UP_TO_ROWS", "Rule", "judge", "judge_in_one_pass", "rules_of", "schema", "sql_rules"]
