-- Deletes KEYS, the first of which holds the number of the socket that has a session, unless that is not ARGV[1].
if redis.call('GET', KEYS[1]) == ARGV[1] then
  redis.call('DEL', unpack(KEYS))
end
