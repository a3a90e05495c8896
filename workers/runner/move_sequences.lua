-- Moves sequences on, each only from the version that was read, and keeps what their events were answered.
-- ARGV, for each sequence: its key; its first 8 bytes as they were read, empty where there was none; its new value and
-- for how many seconds it is kept; how many answers there are, and of each the key, the value and the seconds; how many
-- marks, and of each the key, the number and the seconds. Marks only rise.
-- Returns a list of 1 or 0 for each: whether it moved. Of one that did not, nothing is written.
-- KEYS is empty: what there is to write is in the batch, which a cluster would not allow.
local moved = {}
local at = 1
while ARGV[at] do
  local answers = at + 5
  local marks = answers + 3 * ARGV[answers - 1] + 1
  local behind = marks + 3 * ARGV[marks - 1]
  local is_same = redis.call('GETRANGE', ARGV[at], 0, 7) == ARGV[at + 1]
  if is_same then
    redis.call('SET', ARGV[at], ARGV[at + 2], 'EX', ARGV[at + 3])
    for answer = answers, marks - 2, 3 do
      redis.call('SET', ARGV[answer], ARGV[answer + 1], 'EX', ARGV[answer + 2])
    end
    for mark = marks, behind - 1, 3 do
      if (tonumber(redis.call('GET', ARGV[mark])) or -1) < tonumber(ARGV[mark + 1]) then
        redis.call('SET', ARGV[mark], ARGV[mark + 1], 'EX', ARGV[mark + 2])
      end
    end
  end
  moved[#moved + 1] = is_same and 1 or 0
  at = behind
end
return moved
