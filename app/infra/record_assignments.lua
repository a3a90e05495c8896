-- Adds a batch of answered requests to what is counted of their experiments, whole; adding it again changes nothing.
-- KEYS[1]: the batch's receipt. ARGV[1], in MessagePack:
--   receipt_s, counts_s, subjects_s, assignments_s: seconds until the keys of each kind expire
--   most_subjects: how many subjects of one experiment are told apart
--   segment_size, segments: how many assignments one segment holds, and how many segments there are per model
--   experiments: [{counts_key, subjects_key, shares_key, counts: {field: amount}, subjects: [field, …], shares?}]
--   models: [{newest_key, segment_prefix, assignments: [value, …]}]
-- ARGV[2]: the 8-byte digests of all these subjects, then of all these assignments, in that order: Redis' MessagePack
-- knows no bytes.
-- Returns 1, or 0 for a batch that was added before. The other keys are built from what the batch holds, which
-- a cluster would not allow.
local batch = cmsgpack.unpack(ARGV[1])
if not redis.call('SET', KEYS[1], 1, 'NX', 'EX', batch.receipt_s) then
  return 0
end

local at = 0
local function next_digest()
  at = at + 8
  return string.sub(ARGV[2], at - 7, at)
end

for _, experiment in ipairs(batch.experiments) do
  local counts = experiment.counts_key
  for field, amount in pairs(experiment.counts) do
    redis.call('HINCRBY', counts, field, amount)
  end
  local seen = redis.call('SCARD', experiment.subjects_key)
  for _, field in ipairs(experiment.subjects) do
    local digest = next_digest()
    if seen < batch.most_subjects and redis.call('SADD', experiment.subjects_key, digest) == 1 then
      seen = seen + 1
      redis.call('HINCRBY', counts, field, 1)
    end
  end
  redis.call('EXPIRE', counts, batch.counts_s)
  redis.call('EXPIRE', experiment.subjects_key, batch.subjects_s)
  if experiment.shares then
    redis.call('SET', experiment.shares_key, experiment.shares, 'EX', batch.counts_s)
  else
    redis.call('EXPIRE', experiment.shares_key, batch.counts_s)
  end
end

for _, model in ipairs(batch.models) do
  local number = tonumber(redis.call('GET', model.newest_key) or 0)
  if redis.call('HLEN', model.segment_prefix .. number) >= batch.segment_size then
    -- The oldest segment makes way.
    number = number + 1
    redis.call('UNLINK', model.segment_prefix .. (number - batch.segments))
  end
  local segment = model.segment_prefix .. number
  for _, value in ipairs(model.assignments) do
    redis.call('HSET', segment, next_digest(), value)
  end
  redis.call('EXPIRE', segment, batch.assignments_s)
  redis.call('SET', model.newest_key, number, 'EX', batch.assignments_s)
end
return 1
