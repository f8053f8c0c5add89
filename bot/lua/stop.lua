-- ARGV turn or '' (the running turn of the person's lane, or of the direct one), the direct lane, the person.
-- -> 1 if a turn was told to stop, 0 if none runs
local turn, direct = ARGV[1], ARGV[2]
local lanes = { direct .. ARGV[3], direct }
if turn ~= '' then lanes = { redis.call('GET', P .. 'of:' .. turn) or nil } end
for _, lane in ipairs(lanes) do
  local runs = redis.call('HGET', P .. 'o:' .. lane, 'turn')
  if runs and (turn == '' or runs == turn) then
    redis.call('HSET', P .. 'o:' .. lane, 'stop', '1')
    redis.call('PUBLISH', 'parley:control', runs)
    return 1
  end
end
return 0
