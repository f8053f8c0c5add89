-- ARGV kind (ask|hear), identity, conversation, lane, entry or '', item, keep_s, most,
-- only where a transcript is (1|0).  -> admitted | duplicate | ignored
local kind, identity, conversation, lane = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local claim = P .. 'seen:' .. identity
if ARGV[9] == '1' and redis.call('EXISTS', P .. 'n:' .. conversation) == 0 then return 'ignored' end
local seen = redis.call('GET', claim)
if seen then
  local was = string.match(seen, '^%a+')
  if was == 'gone' then return 'ignored' end
  if not (was == 'hear' and kind == 'ask') then return 'duplicate' end
end
redis.call('SET', claim, kind .. ' ' .. lane, 'EX', DAY2)
local at, old
if seen then at, old = find(conversation, string.match(identity, '[^:]*$')) end
if ARGV[5] ~= '' then
  if at then
    redis.call('LSET', P .. 't:' .. conversation, at, numbered(old.n or 0, ARGV[5]))
  else
    append(conversation, ARGV[5], ARGV[7], ARGV[8])
  end
end
if kind == 'ask' then push(lane, ARGV[6]) end
fleeting(lane)
return 'admitted'
