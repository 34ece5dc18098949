/*
meaning: >-
  One component in service and one team that called it, on a day or in the period that begins with it; no team when all
  that is told of it is that nobody called. Versions are one component; retired versions are left out.
reads:
  components: own
*/
SELECT DISTINCT used_on AS day, component_id AS component, coalesce(owner_team, 'unknown') AS owner_team,
  CASE WHEN calls IS NULL OR calls > 0 THEN consumer_team END AS consumer_team
FROM core.components
WHERE retired_at IS NULL OR facts.utc_day(retired_at) > used_on
