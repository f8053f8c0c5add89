-- KEYS[1] is what belongs to the whole store. ARGV shards, schema: as they shall be in a new store.  -> as they are
redis.call('SET', KEYS[1] .. 'shards', ARGV[1], 'NX')
redis.call('SET', KEYS[1] .. 'schema', ARGV[2], 'NX')
return { redis.call('GET', KEYS[1] .. 'shards'), redis.call('GET', KEYS[1] .. 'schema') }
