-- Sets keys to numbers where they hold less, and keeps them for so many seconds. ARGV, for each of KEYS: the number, and
-- the seconds.
for at, key in ipairs(KEYS) do
  local number, keep_s = ARGV[2 * at - 1], ARGV[2 * at]
  if (tonumber(redis.call('GET', key)) or -1) < tonumber(number) then
    redis.call('SET', key, number, 'EX', keep_s)
  end
end
