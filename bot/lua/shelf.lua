-- KEYS[1] prefix of the shelf. ARGV verb, key, then what the verb needs. Every key gets an expiry.
local verb, key = ARGV[1], P .. ARGV[2]
if verb == 'once' then
  return redis.call('SET', key, '1', 'NX', 'PX', ARGV[3]) and 1 or 0
elseif verb == 'lease' then
  local holder = redis.call('GET', key)
  if holder and holder ~= ARGV[3] then return 0 end
  if tonumber(ARGV[4]) <= 0 then redis.call('DEL', key) else redis.call('SET', key, ARGV[3], 'PX', ARGV[4]) end
  return 1
end
-- A token bucket: per_s, burst, debt (tokens lent to who may not wait).  -> ms to wait, 0 = taken
local per_s, burst, least, t = tonumber(ARGV[3]), tonumber(ARGV[4]), 1 - tonumber(ARGV[5]), now()
local bucket = redis.call('HMGET', key, 'tokens', 'at')
local tokens = math.min(burst, tonumber(bucket[1] or burst) + (t - tonumber(bucket[2] or t)) / 1000 * per_s)
local wait = 0
if tokens >= least then tokens = tokens - 1 else wait = math.ceil((least - tokens) / per_s * 1000) end
redis.call('HSET', key, 'tokens', string.format('%.6f', tokens), 'at', int(t))
redis.call('PEXPIRE', key, int((burst + 1 - least) / per_s * 1000 + 1000))
return wait
