-- KEYS[1] is the prefix of a workspace. ARGV person, whether they want not to be heard (1|0)
redis.call(ARGV[2] == '1' and 'SADD' or 'SREM', P .. 'optouts', ARGV[1])
