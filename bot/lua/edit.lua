-- ARGV identity, conversation, entry, item.  -> unknown | gone | heard | asked: what the message was; its text is new now
local seen = redis.call('GET', P .. 'seen:' .. ARGV[1]) or ''
local kind, lane = string.match(seen, '^(%a+) (.*)$')
if kind == 'gone' then return 'gone' end
local id = string.match(ARGV[1], '[^:]*$')
local at, old = find(ARGV[2], id)
if at then redis.call('LSET', P .. 't:' .. ARGV[2], at, numbered(old.n or 0, ARGV[3])) end
if kind == 'ask' then
  local place = waiting(lane, id)
  if place then
    redis.call('LSET', P .. 'l:' .. lane, place, ARGV[4])
    mark_changed(lane, place)
  end
  return 'asked'
end
return (kind or at) and 'heard' or 'unknown'
