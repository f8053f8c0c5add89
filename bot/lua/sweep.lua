-- Once a second in each worker: lanes that are due, leases that ended, and whatever an index lost.  ARGV all lanes? (1|0)
-- -> the bills that are not yet settled
local t = now()
for _, lane in ipairs(redis.call('ZRANGEBYSCORE', P .. 'later', '-inf', int(t), 'LIMIT', 0, 100)) do
  redis.call('ZREM', P .. 'later', lane)
  ready(lane)
end
if redis.call('LLEN', P .. 'ring') > 0 or redis.call('ZCOUNT', P .. 'lease', '-inf', int(t)) > 0 then wake() end
if ARGV[1] == '1' then
  for _, lane in ipairs(redis.call('SMEMBERS', P .. 'lanes')) do
    if redis.call('EXISTS', P .. 'o:' .. lane) == 0 then
      ready(lane)
    elseif not redis.call('ZSCORE', P .. 'lease', lane) and not redis.call('ZSCORE', P .. 'later', lane)
      and redis.call('SISMEMBER', P .. 'idx', lane) == 0 then
      ready(lane)
    end
  end
end
return redis.call('ZRANGE', P .. 'unsettled', 0, 99)
