-- ARGV lane, turn, fence, entry or '', keep_s, most, why_s, reason to give it up or '', bill or '',
-- follow_up_s, then field, value ... of the record.
-- -> committed | changed (start again) | lost | gone (nothing is done, because the answer that this one replaces is gone).
-- Idempotent: asked again by the holder it says committed again.
local lane, turn, fence, entry, reason = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[8]
local open, closed = P .. 'o:' .. lane, P .. 'turn:' .. turn
if not holds(lane, turn, fence) then
  if redis.call('HGET', closed, 'fence') == fence then return 'committed' end
  return 'lost'
end
if reason == '' and redis.call('HEXISTS', open, 'changed') == 1 then return 'changed' end
local conversation, channel = places(lane)
-- Another version of an answer takes its place; a new answer goes to the end.
local replaced = entry ~= '' and decode(entry).replaces
local at, old
if replaced then
  at, old = find(conversation, replaced)
  if not at then return 'gone' end
end
local n = tonumber(redis.call('HGET', open, 'n'))
if n > 0 then
  if reason ~= '' then
    local letter = { turn = turn, lane = lane, reason = reason, at = now() / 1000, items = redis.call('LRANGE', P .. 'l:' .. lane, 0, n - 1) }
    redis.call('HSET', P .. 'dead', turn, cjson.encode(letter))
  end
  redis.call('LTRIM', P .. 'l:' .. lane, n, -1)
end
if entry ~= '' then
  if at then
    redis.call('LSET', P .. 't:' .. conversation, at, numbered(old.n or 0, entry))
  else
    append(conversation, entry, ARGV[5], ARGV[6])
  end
end
for i = 11, #ARGV, 2 do
  redis.call('HSET', open, ARGV[i], ARGV[i + 1])
  if ARGV[i] == 'authors' and entry ~= '' and in_thread(conversation) then
    for person in string.gmatch(ARGV[i + 1], '%S+') do
      redis.call('SET', P .. 'a:' .. channel .. '|' .. person, conversation, 'EX', ARGV[5])
    end
  end
end
redis.call('HSET', open, 'lane', lane, 'closed', int(now()))
local repair = redis.call('HGET', open, 'repair')
redis.call('RENAME', open, closed)
redis.call('EXPIRE', closed, ARGV[7])
redis.call('ZREM', P .. 'lease', lane)
if tonumber(ARGV[10]) > 0 then redis.call('SET', P .. 'f:' .. lane, '1', 'EX', ARGV[10]) end
if ARGV[9] ~= '' then redis.call('ZADD', P .. 'unsettled', int(now()), ARGV[9]) end
leave(lane)
if repair then redis.call('LPUSH', P .. 'l:' .. lane, repair) end
if redis.call('LLEN', P .. 'l:' .. lane) > 0 then ready(lane) else redis.call('SREM', P .. 'lanes', lane) end
fleeting(lane, 'turn:' .. turn)
return 'committed'
