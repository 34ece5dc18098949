/*
meaning: What one call of a tool costs at its provider, and on which days.
needs: [_price_spans]
small: true
*/
SELECT provider, model AS tool, valid_from, valid_to, call_usd
FROM facts._price_spans
WHERE call_usd IS NOT NULL AND tier = 'standard' AND above_tokens = -1
