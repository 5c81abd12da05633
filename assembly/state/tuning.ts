import { CONFIG_OPPORTUNISTIC, CONFIG_WVEGAS_GAMMA } from '../abi';
import { config } from './config';
import { Connection } from './connection';

/** Settings of schedulers and congestion controllers: every connection has its own, 16 bits each, in Connection.tuning0. */

const FIRST: i32 = CONFIG_OPPORTUNISTIC;
const LAST: i32 = CONFIG_WVEGAS_GAMMA;

export function isTuning(key: i32): bool {
  return key >= FIRST && key <= LAST;
}

/** A new connection has the settings of the stack. */
export function tuningOpen(connection: Connection): void {
  for (let key = FIRST; key <= LAST; key++) tuningStore(connection, key, config(key));
}

export function tuning(connection: Connection, key: i32): u32 {
  return load<u16>(changetype<usize>(connection) + ((<usize>(key - FIRST)) << 1), offsetof<Connection>('tuning0'));
}

export function tuningStore(connection: Connection, key: i32, value: i64): void {
  store<u16>(
    changetype<usize>(connection) + ((<usize>(key - FIRST)) << 1),
    <u16>value,
    offsetof<Connection>('tuning0'),
  );
}
