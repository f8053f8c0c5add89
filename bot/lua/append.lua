-- ARGV conversation, entry, keep_s, most, load.  -> the newest `load` entries, this one last
append(ARGV[1], ARGV[2], ARGV[3], ARGV[4])
return redis.call('LRANGE', P .. 't:' .. ARGV[1], -ARGV[5], -1)
