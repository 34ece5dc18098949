/*
meaning: One tool call of production traffic that the user did not cancel; each retry is a call of its own.
needs: [_production_calls, _identity]
deeds: session_key
follows: session_costs
reads:
  calls: own
  sessions: SELECT facts.utc_day(c.started_at) AS day FROM changed JOIN core.calls AS c USING (session_id)
  identities: all
*/
SELECT day, call_id, session_key, coalesce(i.person_id, c.alias_id) AS person_id,
  coalesce(tool_name, 'unknown') AS tool, use_case,
  CASE WHEN status IN ('error', 'timeout') THEN 1 ELSE 0 END AS is_error
FROM facts._production_calls AS c
LEFT JOIN facts._identity AS i ON i.alias_id = c.alias_id
WHERE kind = 'tool' AND status <> 'cancelled'
