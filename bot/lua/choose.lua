-- KEYS[1] is the prefix of a workspace. ARGV field of its channel settings, value's JSON or '' (take it back), entry of the
-- audit list (its "before" is filled in here), how many entries to keep.
-- -> the JSON that was there before, or '', or nothing where it was the same (then no entry is made)
local before = redis.call('HGET', P .. 'channels', ARGV[1]) or ''
if before == ARGV[2] then return false end
if ARGV[2] == '' then
  redis.call('HDEL', P .. 'channels', ARGV[1])
else
  redis.call('HSET', P .. 'channels', ARGV[1], ARGV[2])
end
local entry = decode(ARGV[3])
entry.before = before
redis.call('RPUSH', P .. 'audit', cjson.encode(entry))
redis.call('LTRIM', P .. 'audit', -ARGV[4], -1)
redis.call('EXPIRE', P .. 'audit', 34214400)
return before
