import { randomU64 } from '../crypto/random';
import { regionTake } from '../memory/region';
import { Connection } from '../state/connection';
import { isOwn } from '../state/shard';
import { cookieKey } from '../tcp/cookies';
import { keyToken } from '../wire/keys';
import { segment } from '../wire/segment';

/**
 * Finds the connection of a token (RFC 8684 and RFC 6824 section 3.2), in a table of chains; tokens are hashes already.
 * A token does not tell of which version it is: no two connections have the same, whatever their versions.
 */

/** Keys a cookie may go with: of 64 shards, one that has none of its own among so many is not to be expected. */
const COOKIE_KEYS: u32 = 1024;

let buckets: usize = 0;
let mask: u32 = 0;

/** Makes the table for a budget of `bytes`. Call it before pagesOpen(). */
export function tokensOpen(bytes: usize): void {
  let size: u32 = 1024;
  while (<usize>size * 2048 < bytes && size < 1 << 20) size <<= 1;
  mask = size - 1;
  buckets = regionTake(<usize>size * 4);
}

/** Gives a connection a key whose token no other connection has (RFC 8684 section 3.1), and enters the token. */
export function tokenCreate(connection: Connection): void {
  connection.localKey = tokenSpare(connection.version, connection.remoteKey);
  connection.localToken = keyToken(connection.version, connection.localKey);
  enter(connection);
}

/** A key that no connection has now, nor the peer: with two keys alike, the HMAC of one side would do for the other. */
function tokenSpare(version: u32, remoteKey: u64): u64 {
  let key = randomU64();
  while (key == remoteKey || !isFree(version, key)) key = randomU64();
  return key;
}

/** Such a key for the SYN/ACK with the cookie `iss`, of which nothing is kept; 0 when there is none. */
export function tokenOfCookie(version: u32, remoteKey: u64, iss: u32): u64 {
  for (let attempt: u32 = 0; attempt < COOKIE_KEYS; attempt++) {
    const key = cookieKey(iss, segment.seq, attempt);
    if (key != remoteKey && isFree(version, key)) return key;
  }
  return 0;
}

/** True when the third ACK in `segment`, to the cookie `iss`, has a key that went with it. */
export function isOfCookie(key: u64, iss: u32): bool {
  for (let attempt: u32 = 0; attempt < COOKIE_KEYS; attempt++)
    if (cookieKey(iss, segment.seq - 1, attempt) == key) return true;
  return false;
}

/** Gives a connection the key it told its peer earlier. Returns false when another connection has its token by now. */
export function tokenAdopt(connection: Connection, key: u64): bool {
  if (!isFree(connection.version, key)) return false;
  connection.localKey = key;
  connection.localToken = keyToken(connection.version, key);
  enter(connection);
  return true;
}

function isFree(version: u32, key: u64): bool {
  const token = keyToken(version, key);
  return key != 0 && token != 0 && isOwn(token) && tokenFind(token) == 0;
}

function enter(connection: Connection): void {
  const bucket = buckets + ((<usize>(connection.localToken & mask)) << 2);
  connection.tokenNext = <usize>load<u32>(bucket);
  store<u32>(bucket, <u32>changetype<usize>(connection));
}

/** The connection of a token, or 0. */
export function tokenFind(token: u32): usize {
  let at = <usize>load<u32>(buckets + ((<usize>(token & mask)) << 2));
  while (at != 0 && changetype<Connection>(at).localToken != token) at = changetype<Connection>(at).tokenNext;
  return at;
}

export function tokenRemove(connection: Connection): void {
  if (connection.localToken == 0) return;
  const bucket = buckets + ((<usize>(connection.localToken & mask)) << 2);
  let at = <usize>load<u32>(bucket);
  if (at == changetype<usize>(connection)) {
    store<u32>(bucket, <u32>connection.tokenNext);
  } else {
    while (at != 0 && changetype<Connection>(at).tokenNext != changetype<usize>(connection))
      at = changetype<Connection>(at).tokenNext;
    if (at != 0) changetype<Connection>(at).tokenNext = connection.tokenNext;
  }
  connection.localToken = 0;
}
