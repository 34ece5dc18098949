/*
meaning: >-
  One eligible inbound contact, and whether the assistant settled it: no reply by a person, no reopening, and no new
  contact of the same requester on the same topic, through any channel, within 7 days. A requester nobody knows cannot
  be followed and does not count as settled.
deeds: contact_id
reads:
  contacts: >-
    SELECT facts.utc_day(created_at) AS day FROM changed
    UNION ALL
    SELECT facts.utc_day(c.created_at) FROM changed JOIN core.contacts AS c
      ON c.requester_id = changed.requester_id AND coalesce(c.topic, '') = coalesce(changed.topic, '')
     AND changed.created_at > c.created_at AND changed.created_at <= c.created_at + INTERVAL 7 DAY
within:
  contacts: SELECT rowid FROM core.contacts WHERE created_at >= $end AND created_at <= $end + INTERVAL 7 DAY
*/
WITH followed AS (
  SELECT contact_id, created_at, topic, channel, requester_id, ai_involved, first_human_reply_at, reopens,
    min(created_at) OVER (PARTITION BY requester_id, coalesce(topic, '') ORDER BY created_at
                          RANGE BETWEEN INTERVAL 1 MICROSECOND FOLLOWING AND INTERVAL 7 DAY FOLLOWING) AS next_at
  FROM core.contacts
  WHERE is_eligible
)
SELECT facts.utc_day(created_at) AS day, contact_id, requester_id AS person_id, coalesce(topic, 'unknown') AS topic, coalesce(channel, 'unknown') AS channel,
  CASE WHEN ai_involved AND first_human_reply_at IS NULL AND coalesce(reopens, 0) = 0
        AND requester_id IS NOT NULL AND next_at IS NULL THEN 1 ELSE 0 END AS is_deflected
FROM followed
