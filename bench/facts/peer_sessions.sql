/*
meaning: One session of the table that the other tools read, too; `peers` is the attached database that holds it.
*/
SELECT CAST(started_at AS DATE) AS day, user_id, team, channel, model, 1 AS sessions,
  CAST(deflected AS INTEGER) AS is_deflected, CAST(answered AS INTEGER) AS is_answered,
  CAST(answered AND grounded AS INTEGER) AS is_grounded, CAST(cost_usd AS DECIMAL(18, 6)) AS cost_usd,
  latency_ms / 1000.0 AS latency_s
FROM peers.sessions
