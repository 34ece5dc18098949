/*
meaning: >-
  One eligible contact for which it is known whether the vendor claims that the assistant resolved it, beside whether it
  did. What no assistant touched is not claimed. Days on which nothing is claimed or denied say nothing.
needs: [contacts]
deeds: contact_id
alike: contacts
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
WITH stated AS (
  SELECT contact_id, facts.utc_day(created_at) AS day, ai_claimed_resolved,
    CASE WHEN ai_claimed_resolved THEN 1 WHEN ai_claimed_resolved IS NOT NULL OR NOT ai_involved THEN 0 END AS is_claimed
  FROM core.contacts
  WHERE is_eligible
)
SELECT c.day, c.contact_id, c.person_id, c.topic, c.channel, s.is_claimed, c.is_deflected
FROM facts.contacts AS c
JOIN stated AS s ON s.contact_id = c.contact_id
WHERE s.is_claimed IS NOT NULL AND c.day IN (SELECT day FROM stated WHERE ai_claimed_resolved IS NOT NULL)
