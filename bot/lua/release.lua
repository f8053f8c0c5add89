-- ARGV lane, turn, fence, counts as a failure (1|0), delay_ms: give an open turn back, to be tried again after the delay.
-- -> its failures so far, or -1 where another worker holds it
local lane = ARGV[1]
if not holds(lane, ARGV[2], ARGV[3]) then return -1 end
local failures = redis.call('HINCRBY', P .. 'o:' .. lane, 'failures', ARGV[4])
redis.call('ZREM', P .. 'lease', lane)
leave(lane)
if tonumber(ARGV[5]) > 0 then
  redis.call('ZADD', P .. 'later', int(now() + ARGV[5]), lane)
else
  ready(lane)
end
-- A worker that comes back late with this fence finds it spent.
redis.call('HINCRBY', P .. 'o:' .. lane, 'fence', 1)
return failures
