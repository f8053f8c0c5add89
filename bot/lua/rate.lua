-- ARGV conversation, turn and person, the rating's JSON, keep_s
local ratings = P .. 'fb:' .. ARGV[1]
redis.call('HSET', ratings, ARGV[2], ARGV[3])
redis.call('EXPIRE', ratings, ARGV[4])
