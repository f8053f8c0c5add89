-- ARGV turn, or '' for those that run in this conversation, conversation, person: for their turns there, in private too, or ''
-- for everybody's.  -> how many turns were told to stop
local turn, conversation, person, told = ARGV[1], ARGV[2], ARGV[3], 0
local lanes = { redis.call('GET', P .. 'of:' .. turn) or nil }
if turn == '' then lanes = redis.call('SMEMBERS', P .. 'lanes') end
for _, lane in ipairs(lanes) do
  local place, who = string.match(lane, '^([^|]*)|(.*)$')
  local is_here = place == conversation or person ~= '' and place == conversation .. ':' .. person
  local runs = redis.call('HGET', P .. 'o:' .. lane, 'turn')
  if runs and (runs == turn or turn == '' and is_here and (person == '' or who == person or who == '')) then
    redis.call('HSET', P .. 'o:' .. lane, 'stop', '1')
    redis.call('PUBLISH', 'parley:control', runs)
    told = told + 1
  end
end
return told
