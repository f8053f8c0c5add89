-- ARGV lease_ms, channel_turns, collect, collect_bytes, transcript, how many turns, what makes their ids unique.
-- -> a list of {lane, from an expired lease (1|0), the open record, the pinned questions, the newest transcript entries}
local lease_ms, limit, t = tonumber(ARGV[1]), tonumber(ARGV[6]), now()
local taken = {}

local function open_turn(lane, id)
  local items = redis.call('LRANGE', P .. 'l:' .. lane, 0, ARGV[3] - 1)
  if #items == 0 then return false end
  local n, bytes = 1, #items[1]
  while n < #items and string.sub(items[1], 1, 1) == 'Q' and string.sub(items[n + 1], 1, 1) == 'Q' do
    bytes = bytes + #items[n + 1]
    if bytes > tonumber(ARGV[4]) then break end
    n = n + 1
  end
  -- p0: the intent of the first message is recorded here, which saves a round trip in every turn.
  redis.call('HSET', P .. 'o:' .. lane, 'turn', id, 'n', n, 'fence', 0, 'failures', 0, 'deaths', 0, 'p0', '', 'opened', int(t))
  redis.call('SET', P .. 'of:' .. id, lane, 'EX', DAY2)
  return true
end

local function take(lane, expired)
  local open, conversation = P .. 'o:' .. lane, places(lane)
  redis.call('HINCRBY', open, 'fence', 1)
  -- A batch that was touched meanwhile has no finished answer any more.
  if redis.call('HDEL', open, 'changed') == 1 then redis.call('HDEL', open, 'final') end
  redis.call('ZADD', P .. 'lease', int(t + lease_ms), lane)
  fleeting(lane)
  local n = tonumber(redis.call('HGET', open, 'n'))
  local items = {}
  if n > 0 then items = redis.call('LRANGE', P .. 'l:' .. lane, 0, n - 1) end
  taken[#taken + 1] = { lane, expired, redis.call('HGETALL', open), items,
    redis.call('LRANGE', P .. 't:' .. conversation, -ARGV[5], -1) }
end

for _, lane in ipairs(redis.call('ZRANGEBYSCORE', P .. 'lease', '-inf', int(t), 'LIMIT', 0, limit)) do
  if redis.call('EXISTS', P .. 'o:' .. lane) == 1 then
    redis.call('HINCRBY', P .. 'o:' .. lane, 'deaths', 1)
    take(lane, 1)
  else
    redis.call('ZREM', P .. 'lease', lane)
  end
end
while #taken < limit do
  local channel = redis.call('LPOP', P .. 'ring')
  if not channel then break end
  local lane = redis.call('LPOP', P .. 'r:' .. channel)
  if redis.call('LLEN', P .. 'r:' .. channel) > 0 then redis.call('RPUSH', P .. 'ring', channel) end
  if lane then
    local conversation = places(lane)
    if not is_quick(lane) and tonumber(redis.call('HGET', P .. 'live', conversation) or 0) >= tonumber(ARGV[2]) then
      redis.call('RPUSH', P .. 'b:' .. conversation, lane)
    else
      redis.call('SREM', P .. 'idx', lane)
      if redis.call('EXISTS', P .. 'o:' .. lane) == 1 or open_turn(lane, string.format('%04x', #taken) .. ARGV[7]) then
        if not is_quick(lane) then redis.call('HINCRBY', P .. 'live', conversation, 1) end
        take(lane, 0)
      else
        redis.call('SREM', P .. 'lanes', lane)
        promote(conversation, channel)
      end
    end
  end
end
if redis.call('LLEN', P .. 'ring') > 0 then wake() end
return taken
