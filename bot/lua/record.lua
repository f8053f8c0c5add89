-- ARGV lane, turn, fence, lease_ms, then field, value ...: write fields of the open turn (an empty list only renews).
-- A value of '-' deletes the field.  -> {stop, changed}, or nothing where another worker holds the turn
local lane, open = ARGV[1], P .. 'o:' .. ARGV[1]
if not holds(lane, ARGV[2], ARGV[3]) then return {} end
for i = 5, #ARGV, 2 do
  if ARGV[i + 1] == '-' then redis.call('HDEL', open, ARGV[i]) else redis.call('HSET', open, ARGV[i], ARGV[i + 1]) end
end
redis.call('ZADD', P .. 'lease', int(now() + tonumber(ARGV[4])), lane)
return flags(lane)
