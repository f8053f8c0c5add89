-- ARGV lane, turn, fence, lease_ms, transcript: read a changed batch anew.  -> {questions, transcript}, or nothing if lost
local lane = ARGV[1]
if not holds(lane, ARGV[2], ARGV[3]) then return {} end
redis.call('HDEL', P .. 'o:' .. lane, 'changed', 'final')
redis.call('ZADD', P .. 'lease', int(now() + tonumber(ARGV[4])), lane)
local n, items = tonumber(redis.call('HGET', P .. 'o:' .. lane, 'n')), {}
if n > 0 then items = redis.call('LRANGE', P .. 'l:' .. lane, 0, n - 1) end
return { items, redis.call('LRANGE', P .. 't:' .. places(lane), -ARGV[5], -1) }
