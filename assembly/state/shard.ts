import { CONFIG_SHARD, CONFIG_SHARDS } from '../abi';
import { config } from './config';

/**
 * Several stacks can share the addresses of one host, one a thread. What names a connection from outside tells which of
 * them has it: a token, and a port that was chosen, leave the number of the shard when divided by the count of shards.
 */

/** True when there are several. */
export function isSharded(): bool {
  return config(CONFIG_SHARDS) > 1;
}

/** The shard that a token or chosen port belongs to. */
export function shardOf(number: u32): u32 {
  return number % <u32>config(CONFIG_SHARDS);
}

/** True when a token or chosen port is one of this shard. */
export function isOwn(number: u32): bool {
  return shardOf(number) == ownShard();
}

/** The two settings come one after the other: a number too large for the count stands for its remainder. */
export function ownShard(): u32 {
  return shardOf(<u32>config(CONFIG_SHARD));
}
