-- ARGV conversation, author or '' (everybody): take what a person said out of the transcript, with the answers that are to
-- nobody else, out of the lanes, the dead letters and the ratings, with what remembers where they were answered.
-- -> how many pieces
local conversation, author, removed = ARGV[1], ARGV[2], 0
local function theirs(value)
  return author == '' or value.author == author or (type(value.author) == 'table' and value.author.id == author)
end
local function drop(list, index)
  redis.call('LSET', list, index, 'gone')
  removed = removed + 1
end

local list = P .. 't:' .. conversation
for i, raw in ipairs(redis.call('LRANGE', list, 0, -1)) do
  local entry = decode(raw)
  local mine = theirs(entry)
  if not mine and entry.askers then  -- only answers have them
    mine = true
    for _, who in ipairs(entry.askers) do mine = mine and who == author end
  end
  if mine then drop(list, i - 1) end
end
redis.call('LREM', list, 0, 'gone')

for _, lane in ipairs(redis.call('SMEMBERS', P .. 'lanes')) do
  -- What has a lane of its own (the command that asked for this, too) says nothing and ends by itself.
  if places(lane) == conversation and not string.find(lane, '|!', 1, true) then
    local items, pinned = P .. 'l:' .. lane, 0
    for i, raw in ipairs(redis.call('LRANGE', items, 0, -1)) do
      if theirs(decode(string.sub(raw, 2))) then
        drop(items, i - 1)
        if mark_changed(lane, i - 1, raw) then pinned = pinned + 1 end
      end
    end
    redis.call('LREM', items, 0, 'gone')
    if pinned > 0 then redis.call('HINCRBY', P .. 'o:' .. lane, 'n', -pinned) end
  end
end

local letters = redis.call('HGETALL', P .. 'dead')
for i = 1, #letters, 2 do
  local letter = decode(letters[i + 1])
  if letter.lane and places(letter.lane) == conversation then
    local kept = {}
    for _, item in ipairs(letter.items) do
      if not theirs(decode(string.sub(item, 2))) then kept[#kept + 1] = item end
    end
    removed = removed + #letter.items - #kept
    letter.items = kept
    if #kept == 0 then redis.call('HDEL', P .. 'dead', letters[i])
    else redis.call('HSET', P .. 'dead', letters[i], cjson.encode(letter)) end
  end
end

local ratings = P .. 'fb:' .. conversation
for _, field in ipairs(redis.call('HKEYS', ratings)) do
  if author == '' or string.match(field, ' (.*)$') == author then removed = removed + redis.call('HDEL', ratings, field) end
end
local _, channel = places(conversation .. '|')
redis.call('DEL', P .. 'f:' .. conversation .. '|' .. author, P .. 'a:' .. channel .. '|' .. author)
return removed
