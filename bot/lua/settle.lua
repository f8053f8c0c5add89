-- KEYS[1] is the prefix of one workspace.  ARGV turn, day, tokens: put the real figure in the estimate's place, once.
local booked = P .. 'turns:' .. ARGV[2]
local estimate = redis.call('HGET', booked, ARGV[1])
if not estimate or estimate == 'settled' then return 0 end
redis.call('INCRBY', P .. 'tokens:' .. ARGV[2], int(tonumber(ARGV[3]) - tonumber(estimate)))
redis.call('HSET', booked, ARGV[1], 'settled')
return 1
