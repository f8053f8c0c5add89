-- ARGV identity, conversation, entry, item.  -> unknown | gone | heard | asked | last TURN: what the message was; its text is
-- new now. The last: it is the newest question, has been answered by that turn, and its text was another one.
local seen = redis.call('GET', P .. 'seen:' .. ARGV[1]) or ''
local kind, lane = string.match(seen, '^(%a+) (.*)$')
if kind == 'gone' then return 'gone' end
local id = string.match(ARGV[1], '[^:]*$')
local at, old = find(ARGV[2], id)
local is_same = at and old.text == decode(ARGV[3]).text
if at then redis.call('LSET', P .. 't:' .. ARGV[2], at, numbered(old.n or 0, ARGV[3])) end
if kind == 'ask' then
  local place = waiting(lane, id)
  if place then
    local item = redis.call('LINDEX', P .. 'l:' .. lane, place)
    redis.call('LSET', P .. 'l:' .. lane, place, ARGV[4])
    if decode(string.sub(item, 2)).text ~= decode(string.sub(ARGV[4], 2)).text then mark_changed(lane, place) end
  elseif at and not is_same then
    local after = redis.call('LRANGE', P .. 't:' .. ARGV[2], at + 1, -1)
    local answer = decode(after[1])
    if #after == 1 and answer.kind == 'answer' and (answer.questions or {})[#(answer.questions or {})] == id then
      return 'last ' .. answer.turn
    end
  end
  return 'asked'
end
return (kind or at) and 'heard' or 'unknown'
