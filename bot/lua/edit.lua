-- ARGV identity, conversation, entry, item, retry or ''.  -> unknown | gone | heard | asked: what the message was, whose text is
-- new now. Where it is the newest question, has been answered, and its text was another one, `retry` (an item whose turn is
-- empty) is put into its lane.
local seen = redis.call('GET', P .. 'seen:' .. ARGV[1]) or ''
local kind, lane = string.match(seen, '^(%a+) (.*)$')
local id = string.match(ARGV[1], '[^:]*$')
local at, old = find(ARGV[2], id)
if seen == 'gone' or at and old.kind == 'answer' then return 'gone' end
local is_same = at and old.text == decode(ARGV[3]).text
if at then
  local entry = string.gsub(ARGV[3], '"kind":"%a+"', '"kind":"' .. old.kind .. '"', 1)
  redis.call('LSET', P .. 't:' .. ARGV[2], at, numbered(old.n or 0, entry))
end
if kind == 'ask' then
  local place = waiting(lane, id)
  if place then
    local item = redis.call('LINDEX', P .. 'l:' .. lane, place)
    redis.call('LSET', P .. 'l:' .. lane, place, ARGV[4])
    if decode(string.sub(item, 2)).text ~= decode(string.sub(ARGV[4], 2)).text then mark_changed(lane, place) end
  elseif at and not is_same and ARGV[5] ~= '' then
    local after = redis.call('LRANGE', P .. 't:' .. ARGV[2], at + 1, -1)
    local answer = decode(after[1])
    if #after == 1 and answer.kind == 'answer' and (answer.questions or {})[#(answer.questions or {})] == id then
      local retry = string.gsub(ARGV[5], '"turn":""', '"turn":"' .. answer.turn .. '"', 1)
      push(lane, retry)
    end
  end
  return 'asked'
end
return (kind or at) and 'heard' or 'unknown'
