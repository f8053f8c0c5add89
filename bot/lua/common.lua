-- Put in front of every script. KEYS[1] is the prefix of one shard, "parley:{slack:3}:", and every key a script touches begins
-- with it, so each script is single-slot in Cluster. The keys of a shard:
--   seen:<identity>  "<ask|hear|gone> <lane>": a message's claim, kept 48 h
--   t:<conversation> LIST of transcript entries (JSON)        n:<conversation> the position given to the newest entry
--   j:<conversation> we take part in this thread          f:<lane> its author was answered just now
--   a:<channel>|<person> the thread in which they were answered last
--   fb:<conversation> HASH "turn person" -> rating (JSON)
--   l:<lane>         LIST of waiting questions, "Q{json}" (may be collected) or "A{json}" (stands alone)
--   lanes            SET of lanes that are not empty
--   o:<lane>         HASH, the open turn of the lane: turn, fence, n (pinned questions), failures, deaths, p<i> (parts) ...
--   of:<turn>        the lane of a turn                        turn:<turn> HASH, a closed turn's record
--   ring             LIST of channels with ready lanes         r:<channel> LIST of its ready lanes
--   b:<conversation> LIST of lanes that wait because the conversation runs as many turns as it may
--   idx              SET of lanes that stand in an r: or b: list
--   live             HASH conversation -> turns that run now
--   lease            ZSET lane -> end of its lease (ms)        later ZSET lane -> when to try again (ms)
--   wake             LIST, at most one token: workers block on it
--   dead             HASH turn -> JSON of a turn that was given up
--   unsettled        ZSET bill (turn, workspace, day, tokens) -> when its turn was closed (ms)
local P = KEYS[1]
local DAY2 = 172800

local function now()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

local function int(n) return string.format('%d', n) end

local function places(lane)
  local conversation = string.match(lane, '^([^|]*)|')
  return conversation, string.match(conversation, '^([^:]*:[^:]*:[^:]*)')
end

local function in_thread(conversation) return string.find(conversation, '^[^:]*:[^:]*:[^:]*:[^:]') end

local function wake()
  if redis.call('LLEN', P .. 'wake') == 0 then
    redis.call('RPUSH', P .. 'wake', '1')
    redis.call('PEXPIRE', P .. 'wake', 60000)
  end
end

local function ready(lane)
  if redis.call('SADD', P .. 'idx', lane) == 0 then return end
  local _, channel = places(lane)
  if redis.call('RPUSH', P .. 'r:' .. channel, lane) == 1 then redis.call('RPUSH', P .. 'ring', channel) end
  wake()
end

-- A place of this conversation is free: a lane that waited for it comes first.
local function promote(conversation, channel)
  local lane = redis.call('LPOP', P .. 'b:' .. conversation)
  if lane then
    if redis.call('LPUSH', P .. 'r:' .. channel, lane) == 1 then redis.call('RPUSH', P .. 'ring', channel) end
    wake()
  end
end

-- What has a lane of its own needs no model, and takes no place among the turns of its conversation.
local function is_quick(lane) return string.find(lane, '|!', 1, true) end

-- A turn of this lane stops running.
local function leave(lane)
  if is_quick(lane) then return end
  local conversation, channel = places(lane)
  if redis.call('HINCRBY', P .. 'live', conversation, -1) <= 0 then redis.call('HDEL', P .. 'live', conversation) end
  promote(conversation, channel)
end

local function push(lane, item)
  redis.call('RPUSH', P .. 'l:' .. lane, item)
  redis.call('SADD', P .. 'lanes', lane)
  if redis.call('EXISTS', P .. 'o:' .. lane) == 0 then ready(lane) end
end

local function numbered(n, entry) return '{"n":' .. int(n) .. ',' .. string.sub(entry, 2) end

local function append(conversation, entry, keep_s, most)
  local n = redis.call('INCR', P .. 'n:' .. conversation)
  local list = P .. 't:' .. conversation
  redis.call('RPUSH', list, numbered(n, entry))
  redis.call('LTRIM', list, -most, -1)
  redis.call('EXPIRE', list, keep_s)
  redis.call('EXPIRE', P .. 'n:' .. conversation, keep_s)
end

-- What belongs to one `parley ask` ends with it, even if it was killed: nobody can come back to its question.
local function fleeting(lane, record)
  if not string.find(P, '{ask-', 1, true) then return end
  local conversation, channel = places(lane)
  local keys = { 'l:' .. lane, 'o:' .. lane, 't:' .. conversation, 'n:' .. conversation, 'b:' .. conversation,
    'r:' .. channel, 'lanes', 'idx', 'ring', 'live', 'lease', 'later', 'dead', 'unsettled', record }
  for _, key in ipairs(keys) do redis.call('EXPIRE', P .. key, 3600) end
end

local function holds(lane, turn, fence)
  local open = redis.call('HMGET', P .. 'o:' .. lane, 'turn', 'fence')
  return open[1] == turn and open[2] == fence
end

local function flags(lane)
  local f = redis.call('HMGET', P .. 'o:' .. lane, 'stop', 'changed')
  return { f[1] and 1 or 0, f[2] and 1 or 0 }
end

local function decode(json)
  local ok, value = pcall(cjson.decode, json)
  if ok and type(value) == 'table' then return value end
  return {}
end

-- Index (from 0) of the entry with this message id in a transcript, and the entry.
local function find(conversation, id)
  local entries = redis.call('LRANGE', P .. 't:' .. conversation, 0, -1)
  for i = #entries, 1, -1 do
    if string.find(entries[i], id, 1, true) then
      local entry = decode(entries[i])
      if entry.id == id then return i - 1, entry end
      for _, part in ipairs(entry.parts or {}) do
        if part == id then return i - 1, entry end
      end
    end
  end
end

-- Index (from 0) of a message in its lane.
local function waiting(lane, id)
  for i, item in ipairs(redis.call('LRANGE', P .. 'l:' .. lane, 0, -1)) do
    if string.find(item, id, 1, true) and decode(string.sub(item, 2)).id == id then return i - 1 end
  end
end

-- The pinned batch of an open turn was touched: its worker starts it again. Where the reply stands is read from the
-- item that leaves it, because none may be left.
local function mark_changed(lane, at, item)
  local open = redis.call('HMGET', P .. 'o:' .. lane, 'turn', 'n')
  if not open[1] or at >= tonumber(open[2]) then return false end
  redis.call('HSET', P .. 'o:' .. lane, 'changed', '1')
  local address = decode(string.sub(item or '', 2)).address
  if address then redis.call('HSETNX', P .. 'o:' .. lane, 'address', cjson.encode(address)) end
  redis.call('PUBLISH', 'parley:control', open[1])
  return tonumber(open[2])
end
