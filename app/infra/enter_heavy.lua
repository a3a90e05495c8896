-- Lets a call of a heavy model in, or says why not. Times are Redis' own, in milliseconds: no two machines need agree.
-- KEYS: the calls that are not answered, by deadline; the workers, by when they count as gone; each version's
--   milliseconds per call
-- ARGV: id, version, bytes, client, milliseconds it may take, places, bytes of all calls
-- A call is listed as `id:bytes:milliseconds:client`, its ticket; a worker as `name:slots`.
-- Places and bytes are dealt as app.inference.fair_share says: to whoever comes first, then as many again to those who have few.
-- Returns verdict (`in`, `nobody`, `full` or `late`), ticket, calls, those of the client, clients, milliseconds to wait.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)

local slots = 0
for _, worker in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  slots = slots + tonumber(string.match(worker, ':(%d+)$'))
end

local client, own_bytes, left_ms = ARGV[4], tonumber(ARGV[3]), tonumber(ARGV[5])
local calls, held, bytes, held_bytes, cost_ms, clients, seen = 0, 0, 0, 0, 0, 1, {[client] = true}
for _, ticket in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  local size, cost, other = string.match(ticket, '^%x+:(%d+):(%d+):(.*)$')
  calls, bytes, cost_ms = calls + 1, bytes + tonumber(size), cost_ms + tonumber(cost)
  if other == client then
    held, held_bytes = held + 1, held_bytes + tonumber(size)
  end
  if not seen[other] then
    seen[other], clients = true, clients + 1
  end
end

local wait_ms = slots > 0 and math.floor(cost_ms / slots) or 0
local function is_room(capacity, total, own, asked)
  if total + asked <= capacity then
    return true
  end
  return (own == 0 or (own + asked) * clients <= capacity) and asked <= capacity and total + asked <= 2 * capacity
end

local is_place = is_room(tonumber(ARGV[6]), calls, held, 1)
-- One call alone may be larger than all together.
local is_memory = calls == 0 or is_room(tonumber(ARGV[7]), bytes, held_bytes, own_bytes)

local verdict, ticket = 'in', ''
if slots == 0 then
  verdict = 'nobody'
elseif not (is_place and is_memory) then
  verdict = 'full'
elseif wait_ms > left_ms then
  verdict = 'late'
else
  local own_ms = redis.call('HGET', KEYS[3], ARGV[2]) or '0'
  ticket = ARGV[1] .. ':' .. ARGV[3] .. ':' .. own_ms .. ':' .. client
  redis.call('ZADD', KEYS[1], now + left_ms, ticket)
end
return {verdict, ticket, calls, held, clients, wait_ms}
