/*
meaning: >-
  One unit that met its variant of a randomised experiment, with the margin it brought by the end; 0 when it brought
  none. It belongs to the last day of the experiment, and is not there before that day: nobody peeks. A roll-out in
  waves, or to all at once, is no experiment.
continuous: true
deeds: unit_key
needs: [_calendar]
open: SELECT DISTINCT ends_on AS day FROM core.experiments
reads:
  experiments: own
  assignments: SELECT e.ends_on AS day FROM changed JOIN core.experiments AS e USING (exp_id)
  outcomes: SELECT e.ends_on AS day FROM changed JOIN core.experiments AS e USING (exp_id)
*/
WITH margins AS (
  SELECT exp_id, unit_id, sum(value) AS margin FROM core.outcomes WHERE metric = 'margin' GROUP BY exp_id, unit_id
)
SELECT e.ends_on AS day, e.exp_id AS experiment, a.unit_id AS unit_key, a.unit_id AS person_id,
  CASE WHEN a.variant = e.treated THEN 'treated' ELSE 'control' END AS arm,
  CAST(coalesce(m.margin, 0) AS DECIMAL(18, 6)) AS margin, e.allocation AS treated_share
FROM core.experiments AS e
JOIN core.assignments AS a ON a.exp_id = e.exp_id AND a.variant IN (e.treated, e.control)
LEFT JOIN margins AS m ON m.exp_id = a.exp_id AND m.unit_id = a.unit_id
WHERE a.exposed_at IS NOT NULL AND facts.utc_day(a.exposed_at) <= e.ends_on
  AND e.ends_on <= (SELECT max(day) FROM facts._calendar)
  AND e.exp_id IN (SELECT exp_id FROM margins) AND coalesce(e.design, 'randomised') = 'randomised'
