-- ARGV kind (ask|hear), identity, conversation, lane, entry or '', item, keep_s, most, and for what is heard: where to keep
-- it (off|threads|all), whether it asks in a joined thread (1|0), whether it asks soon after an answer (1|0).
-- -> admitted | duplicate | ignored
local kind, identity, conversation, lane, entry = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local claim, joined = P .. 'seen:' .. identity, P .. 'j:' .. conversation
if kind == 'hear' then
  local is_joined = redis.call('EXISTS', joined) == 1
  if ARGV[10] == '1' and is_joined or ARGV[11] == '1' and redis.call('EXISTS', P .. 'f:' .. lane) == 1 then
    kind, entry = 'ask', string.gsub(entry, '"kind":"heard"', '"kind":"asked"', 1)
  elseif ARGV[9] == 'off' or ARGV[9] == 'threads' and not is_joined then
    return 'ignored'
  end
end
local seen = redis.call('GET', claim)
if seen then
  local was = string.match(seen, '^%a+')
  if was == 'gone' then return 'ignored' end
  if not (was == 'hear' and kind == 'ask') then return 'duplicate' end
end
redis.call('SET', claim, kind .. ' ' .. lane, 'EX', DAY2)
local at, old
if seen then at, old = find(conversation, string.match(identity, '[^:]*$')) end
if entry ~= '' then
  if at then
    redis.call('LSET', P .. 't:' .. conversation, at, numbered(old.n or 0, entry))
  else
    append(conversation, entry, ARGV[7], ARGV[8])
  end
end
if kind == 'ask' then
  push(lane, ARGV[6])
  if entry ~= '' and in_thread(conversation) then redis.call('SET', joined, '1', 'EX', ARGV[7]) end
end
fleeting(lane)
return 'admitted'
