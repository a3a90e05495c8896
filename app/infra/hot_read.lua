-- Counts hits of one key in a window that begins with its first hit, and reads keys of the cache, all in one trip.
-- KEYS[1]: the counter. KEYS[2…]: what to read. ARGV[1]: hits to add, 0 to look only. ARGV[2]: the window in
-- milliseconds.
-- Returns the hits so far, the milliseconds left, and the value of each key read, nil where there is none.
local hits = tonumber(ARGV[1])
local known = redis.pcall('GET', KEYS[1])
if known and (type(known) == 'table' or not tonumber(known)) then
  -- No counter of ours: it makes way, or each request of this caller would fail.
  redis.call('DEL', KEYS[1])
  known = false
end

local count, left
if hits == 0 then
  count, left = tonumber(known or 0), math.max(redis.call('PTTL', KEYS[1]), 0)
else
  count, left = redis.call('INCRBY', KEYS[1], hits), redis.call('PTTL', KEYS[1])
  if left < 0 then
    left = tonumber(ARGV[2])
    redis.call('PEXPIRE', KEYS[1], left)
  end
end

-- MGET tells keys of another type from none as little as the cache does.
local values = #KEYS > 1 and redis.call('MGET', unpack(KEYS, 2)) or {}
return { count, left, values }
