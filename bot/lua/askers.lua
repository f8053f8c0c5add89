-- ARGV turn.  -> the ids of the people whose questions it answers, apart by spaces ('' for everybody), or nothing
local people = redis.call('HGET', P .. 'turn:' .. ARGV[1], 'authors')
if people then return people end
local lane = redis.call('GET', P .. 'of:' .. ARGV[1])
return lane and string.match(lane, '|(.*)$')
