-- ARGV turn or '', lane (for the running turn of a lane).  -> 1 if a turn was told to stop, 0 if none runs
local lane = ARGV[1] ~= '' and redis.call('GET', P .. 'of:' .. ARGV[1]) or ARGV[2]
local turn = lane and redis.call('HGET', P .. 'o:' .. lane, 'turn')
if not turn or (ARGV[1] ~= '' and turn ~= ARGV[1]) then return 0 end
redis.call('HSET', P .. 'o:' .. lane, 'stop', '1')
redis.call('PUBLISH', 'parley:control', turn)
return 1
