-- ARGV conversation, turn and person, the rating's JSON, keep_s.  Older ratings than that go, however many new ones come.
local ratings, oldest = P .. 'fb:' .. ARGV[1], decode(ARGV[3]).at - ARGV[4]
local kept = redis.call('HGETALL', ratings)
for i = 1, #kept, 2 do
  if (decode(kept[i + 1]).at or 0) < oldest then redis.call('HDEL', ratings, kept[i]) end
end
redis.call('HSET', ratings, ARGV[2], ARGV[3])
redis.call('EXPIRE', ratings, ARGV[4])
