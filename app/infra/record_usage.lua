-- Adds a batch of counts to what clients used, whole; adding it again changes nothing.
-- KEYS[1]: the batch's receipt. ARGV[1], in MessagePack:
--   receipt_s: seconds until the receipt expires
--   most_fields: how many fields a day of one client has at most; counts that would need more are left out
--   days: [{key, keep_s, counts: {field: amount}}]
-- Returns 1, or 0 for a batch that was added before. The other keys are built from what the batch holds, which
-- a cluster would not allow.
local batch = cmsgpack.unpack(ARGV[1])
if not redis.call('SET', KEYS[1], 1, 'NX', 'EX', batch.receipt_s) then
  return 0
end

for _, day in ipairs(batch.days) do
  local fields = redis.call('HLEN', day.key)
  for field, amount in pairs(day.counts) do
    if fields < batch.most_fields or redis.call('HEXISTS', day.key, field) == 1 then
      if redis.call('HINCRBY', day.key, field, amount) == amount then
        fields = fields + 1
      end
    end
  end
  redis.call('EXPIRE', day.key, day.keep_s)
end
return 1
