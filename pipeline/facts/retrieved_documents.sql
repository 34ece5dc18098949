/*
meaning: >-
  One document that a finished retrieval run returned for a query (it has a score), or that somebody judged for it (it
  has a grade), or both. A run is held against the set of judgements named as the version of its suite; where it names
  none, against the only set there is.
reads:
  retrieval_results: SELECT facts.utc_day(r.started_at) AS day FROM changed JOIN core.evaluation_runs AS r USING (run_id)
  evaluation_runs: own
  relevance_judgements: >-
    SELECT facts.utc_day(started_at) AS day FROM core.evaluation_runs
    WHERE suite_version IS NULL OR suite_version IN (SELECT judgement_version FROM changed)
*/
WITH sets AS (SELECT DISTINCT judgement_version FROM core.relevance_judgements),
lone AS (SELECT min(judgement_version) AS judgement_version FROM sets HAVING count(*) = 1),
held AS (
  SELECT r.run_id, facts.utc_day(r.started_at) AS day, r.suite, coalesce(r.use_case_id, 'unknown') AS use_case,
    coalesce(r.suite_version, o.judgement_version) AS judgement_version
  FROM core.evaluation_runs AS r LEFT JOIN lone AS o ON TRUE
  WHERE r.status = 'completed' AND r.run_id IN (SELECT run_id FROM core.retrieval_results)
),
documents AS (
  SELECT h.run_id, q.query_id, q.doc_id, q.score, NULL AS grade
  FROM held AS h JOIN core.retrieval_results AS q ON q.run_id = h.run_id
  WHERE h.judgement_version IN (SELECT judgement_version FROM sets)
  UNION ALL
  SELECT h.run_id, j.query_id, j.doc_id, NULL, j.grade
  FROM held AS h JOIN core.relevance_judgements AS j ON j.judgement_version = h.judgement_version
),
merged AS (
  SELECT run_id, query_id, doc_id, max(score) AS score, max(grade) AS grade FROM documents GROUP BY run_id, query_id, doc_id
)
SELECT h.day, h.run_id || ' ' || m.query_id AS query_key, m.doc_id AS document, h.suite, h.use_case, m.score,
  TRY_CAST(m.grade AS DECIMAL(18, 6)) AS grade
FROM merged AS m JOIN held AS h ON h.run_id = m.run_id
