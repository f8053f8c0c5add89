-- KEYS[1] is the prefix of one workspace.  ARGV turn, person, rate count (0 = off), rate window ms, tokens a day (0 = off),
-- estimate, day, ms until the day ends.  -> {1} | {0, 'rate'|'budget', ms}.  Idempotent by turn: a takeover pays once.
local turn, window, count = ARGV[1], tonumber(ARGV[4]), tonumber(ARGV[3])
local spent, booked = P .. 'tokens:' .. ARGV[7], P .. 'turns:' .. ARGV[7]
if redis.call('HEXISTS', booked, turn) == 1 then return { 1 } end
local daily, estimate = tonumber(ARGV[5]), tonumber(ARGV[6])
if daily > 0 and tonumber(redis.call('GET', spent) or 0) + estimate > daily then return { 0, 'budget', tonumber(ARGV[8]) } end
if count > 0 then
  -- GCRA: `due` is when the bucket would be full again; each question moves it by one share of the window.
  local rate, t, share = P .. 'rate:' .. ARGV[2], now(), window / count
  local due = math.max(tonumber(redis.call('GET', rate) or 0), t) + share
  if due - t > window + 0.5 then return { 0, 'rate', math.ceil(due - t - window) } end
  redis.call('SET', rate, string.format('%.3f', due), 'PX', int(window + 1000))
end
redis.call('INCRBY', spent, int(estimate))
redis.call('HSET', booked, turn, int(estimate))
redis.call('EXPIRE', spent, DAY2)
redis.call('EXPIRE', booked, DAY2)
return { 1 }
