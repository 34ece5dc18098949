/*
meaning: One session of the table that the other tools read, too.
reads:
  peer_sessions: own
*/
SELECT facts.utc_day(started_at) AS day, user_id, team, channel, model, 1 AS sessions,
  CAST(deflected AS INTEGER) AS is_deflected, CAST(answered AS INTEGER) AS is_answered,
  CAST(answered AND grounded AS INTEGER) AS is_grounded, CAST(cost_usd AS DECIMAL(18, 6)) AS cost_usd,
  latency_ms / 1000.0 AS latency_s
FROM core.peer_sessions
