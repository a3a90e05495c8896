-- Counts hits of one key in a window that begins with its first hit.
-- KEYS[1]: the counter. ARGV[1]: hits to add, 0 to look only. ARGV[2]: the window in milliseconds.
-- Returns the hits so far and the milliseconds left.
local hits = tonumber(ARGV[1])
local known = redis.pcall('GET', KEYS[1])
if known and (type(known) == 'table' or not tonumber(known)) then
  -- No counter of ours: it makes way, or each request of this caller would fail.
  redis.call('DEL', KEYS[1])
  known = false
end
if hits == 0 then
  return { tonumber(known or 0), math.max(redis.call('PTTL', KEYS[1]), 0) }
end
local count = redis.call('INCRBY', KEYS[1], hits)
local left = redis.call('PTTL', KEYS[1])
if left < 0 then
  left = tonumber(ARGV[2])
  redis.call('PEXPIRE', KEYS[1], left)
end
return { count, left }
