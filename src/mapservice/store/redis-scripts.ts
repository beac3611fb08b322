import { type RedisScript, redisScript } from "../../io/redis.ts";
import { RECORD_HEADER_BYTES } from "../record/record.ts";

/**
 * A record's value is its expiry as 15 digits, then its encoding; the sequence is the 97th byte of
 * that. A partition's index holds address and sequence byte of each record, by expiry.
 */
export const EXPIRY_DIGITS = 15;

/**
 * The write-once rule, in one step beside the data; `decidePut` is the same rule for stores that
 * read first.
 *
 * KEYS: record, index, bytes. ARGV: address, encoding, expiry, now, whether there is room for a new
 * address, how much of a life an extension has to gain, payload size, grace of the engine's TTL.
 * Answers outcome, expiry, entries and bytes of the partition, and how much longer a record lives.
 */
export const PUT: RedisScript = redisScript(`
local address, encoding = ARGV[1], ARGV[2]
local expires, now, grace = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[8])
local headerBytes, digits = ${RECORD_HEADER_BYTES}, ${EXPIRY_DIGITS}
local seq = string.byte(encoding, 97)
local held = redis.call('GET', KEYS[1])
local heldSeq, heldExpires
if held then
  heldExpires = tonumber(string.sub(held, 1, digits))
  heldSeq = string.byte(held, digits + 97)
end
local function answer(outcome, expiry, gained)
  return { outcome, string.format('%.0f', expiry), redis.call('ZCARD', KEYS[2]),
    tonumber(redis.call('GET', KEYS[3]) or '0'), gained or 0 }
end
local function keep(bytes)
  redis.call('SET', KEYS[1], string.format('%0' .. digits .. '.0f', expires) .. bytes,
    'PX', math.max(expires - now, 0) + grace)
  redis.call('ZADD', KEYS[2], expires, address .. string.char(seq))
end
if held and heldExpires > now then
  if seq < heldSeq then return answer('conflict', 0) end
  if seq == heldSeq then
    if string.sub(encoding, headerBytes + 1) ~= string.sub(held, digits + headerBytes + 1) then
      return answer('conflict', 0)
    end
    if expires - heldExpires <= math.max((expires - now) * tonumber(ARGV[6]), 0) then
      return answer('known', heldExpires)
    end
    keep(string.sub(held, digits + 1))
    return answer('known', expires, expires - heldExpires)
  end
  if heldExpires > expires then expires = heldExpires end
end
local gained, lost = #encoding, 0
for other = 1, 2 do
  if redis.call('ZREM', KEYS[2], address .. string.char(other)) == 1 then
    lost = headerBytes + (other == 1 and tonumber(ARGV[7]) or 0)
  end
end
if lost == 0 and ARGV[5] == '0' then return answer('full', 0) end
redis.call('INCRBY', KEYS[3], gained - lost)
keep(encoding)
return answer('stored', expires)
`);

/** KEYS: record. Answers its value, or nothing. */
export const GET: RedisScript = redisScript(`return redis.call('GET', KEYS[1])`);

/**
 * KEYS: index, bytes, mark, sweeps. ARGV: now, how many at most, what a record's key begins with,
 * payload size, a mark for a partition that has none: it is new, or has lost what it had; then the
 * mark that was seen last, and how many sweeps it must have had before this one. With that mark and
 * fewer it was set back to what it was once, and gets the new mark.
 * Answers how many were removed, how many expired ones are left, entries, bytes, mark and sweeps.
 */
export const SWEEP: RedisScript = redisScript(`
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, tonumber(ARGV[2]))
local bytes = 0
for _, member in ipairs(due) do
  redis.call('DEL', ARGV[3] .. string.sub(member, 1, 32))
  redis.call('ZREM', KEYS[1], member)
  bytes = bytes + ${RECORD_HEADER_BYTES} + (string.byte(member, 33) == 1 and tonumber(ARGV[4]) or 0)
end
local left = redis.call('DECRBY', KEYS[2], bytes)
local sweeps = redis.call('INCR', KEYS[4])
redis.call('SET', KEYS[3], ARGV[5], 'NX')
if sweeps <= tonumber(ARGV[7]) and redis.call('GET', KEYS[3]) == ARGV[6] then
  redis.call('SET', KEYS[3], ARGV[5])
end
return { #due, redis.call('ZCOUNT', KEYS[1], '-inf', ARGV[1]), redis.call('ZCARD', KEYS[1]), left,
  redis.call('GET', KEYS[3]), sweeps }
`);

/**
 * KEYS: index. ARGV: where to go on, how many at a time. Answers where to go on next, 0 at the end,
 * then members and expiries in turn. What is there all the while is found, some of it twice.
 */
export const HELD: RedisScript = redisScript(
  `return redis.call('ZSCAN', KEYS[1], ARGV[1], 'COUNT', ARGV[2])`,
);

/** KEYS: geometry. ARGV: payload size. Answers the payload size that was there first. */
export const CLAIM: RedisScript = redisScript(`
redis.call('SET', KEYS[1], ARGV[1], 'NX')
return tonumber(redis.call('GET', KEYS[1]))
`);
