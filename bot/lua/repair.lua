-- ARGV lane, turn, item, orphan's JSON or '': the reply of this turn may have been overwritten late; send its text again, in
-- its lane, where no other turn writes over it meanwhile.
local lane, turn = ARGV[1], ARGV[2]
local open, closed = P .. 'o:' .. lane, P .. 'turn:' .. turn
local record = redis.call('HGET', open, 'turn') == turn and open or (redis.call('EXISTS', closed) == 1 and closed)
if not record then return 0 end
if ARGV[4] ~= '' then redis.call('HSET', record, 'orphan:' .. int(now()), ARGV[4]) end
if record == open then
  redis.call('HSET', open, 'repair', ARGV[3])
else
  push(lane, ARGV[3])
end
return 1
