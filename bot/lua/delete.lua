-- ARGV identity, conversation.  -> 1 if something was deleted; an unknown message leaves a tombstone all the same
local claim = P .. 'seen:' .. ARGV[1]
local lane = string.match(redis.call('GET', claim) or '', '^ask (.*)$')
local id = string.match(ARGV[1], '[^:]*$')
redis.call('SET', claim, 'gone', 'EX', DAY2)
local at, entry = find(ARGV[2], id)
if at and entry.id ~= id then
  -- A part beyond the first. A turn that writes over this answer may need fewer parts: then it deleted this one itself.
  for _, one in ipairs(redis.call('SMEMBERS', P .. 'lanes')) do
    local first = redis.call('HGET', P .. 'o:' .. one, 'p0') or ''
    if string.find(first, '"' .. entry.id .. '"', 1, true) then at = nil end
  end
end
if at then
  redis.call('LSET', P .. 't:' .. ARGV[2], at, 'gone')
  redis.call('LREM', P .. 't:' .. ARGV[2], 1, 'gone')
end
local place = lane and waiting(lane, id)
if place then
  local item = redis.call('LINDEX', P .. 'l:' .. lane, place)
  redis.call('LSET', P .. 'l:' .. lane, place, 'gone')
  redis.call('LREM', P .. 'l:' .. lane, 1, 'gone')
  local n = mark_changed(lane, place, item)
  if n then
    redis.call('HSET', P .. 'o:' .. lane, 'n', n - 1)
  elseif redis.call('LLEN', P .. 'l:' .. lane) == 0 and redis.call('EXISTS', P .. 'o:' .. lane) == 0 then
    redis.call('SREM', P .. 'lanes', lane)
  end
end
return (at or place) and 1 or 0
