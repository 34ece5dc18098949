/*
meaning: The one person behind each name people go by; a name nobody claims stands for itself.
small: true
*/
SELECT alias_id, min(person_id) AS person_id FROM core.identities GROUP BY alias_id
