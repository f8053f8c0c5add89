-- ARGV turn: put the questions of a dead letter into their lane again.  -> how many, 0 where there is no such letter
local letter = redis.call('HGET', P .. 'dead', ARGV[1])
if not letter then return 0 end
redis.call('HDEL', P .. 'dead', ARGV[1])
letter = cjson.decode(letter)
for _, item in ipairs(letter.items) do push(letter.lane, item) end
return #letter.items
