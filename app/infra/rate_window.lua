-- Counts hits of one key in a window that begins with its first hit.
-- KEYS[1]: the counter. ARGV[1]: hits to add, 0 to look only. ARGV[2]: the window in milliseconds.
-- Returns the hits so far and the milliseconds left.
local hits = tonumber(ARGV[1])
if hits == 0 then
  return { tonumber(redis.call('GET', KEYS[1]) or 0), math.max(redis.call('PTTL', KEYS[1]), 0) }
end
local count = redis.call('INCRBY', KEYS[1], hits)
local left = redis.call('PTTL', KEYS[1])
if left < 0 then
  left = tonumber(ARGV[2])
  redis.call('PEXPIRE', KEYS[1], left)
end
return { count, left }
