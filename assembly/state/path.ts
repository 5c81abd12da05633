import { NO_HANDLES, Pool, poolOpen } from '../memory/pool';

/** What the path manager knows of a connection's paths beside its subflows, in lists of the connection. */

/** An address announced to the peer (RFC 8684 section 3.4.1). */
@unmanaged
export class LocalAddress {
  next: usize;
  /** Address id. */
  id: u32;
  hi: u64;
  lo: u64;
  /** When it is sent again, µs; 0 for never. */
  at: i64;
  port: u32;
  /** 1 while the announcement waits to be sent, 2 while it waits for the echo of another before. */
  due: u8;
  /** 1 once the peer echoed it. */
  echoed: u8;
  /** Times it was sent. */
  tries: u8;
  /** 1 for one that an endpoint asked for. */
  endpoint: u8;
}

/** An address the peer announced (RFC 8684 section 3.4.1). */
@unmanaged
export class RemoteAddress {
  next: usize;
  /** Address id of the peer. */
  id: u32;
  hi: u64;
  lo: u64;
  port: u32;
  /** 1 while an echo is owed. */
  echoDue: u8;
  /** 1 once the peer was sent one. */
  echoed: u8;
  /** 1 once subflows to it were opened. */
  joined: u8;
}

/** A subflow of ours that failed and is to be opened again, see paths/reopen.ts. */
@unmanaged
export class LostPath {
  next: usize;
  /** PATH_ value below. */
  state: u32;
  localHi: u64;
  localLo: u64;
  remoteHi: u64;
  remoteLo: u64;
  /** When it is tried next, µs. */
  at: i64;
  remotePort: u16;
  /** The local port to be used, 0 for any. */
  localPort: u16;
  localId: u8;
  remoteId: u8;
  backup: u8;
  /** Attempts that failed since it last carried data; of them refused in a row. */
  tries: u8;
  refusals: u8;
  /** 1 once an MP_JOIN or the first handshake succeeded on it. */
  worked: u8;
}

/** LostPath.state: waits for its time; for its local address or link; for the peer, which forbids it, to announce it. */
export const PATH_WAITS: u32 = 0;
export const PATH_NO_LINK: u32 = 1;
export const PATH_GIVEN_UP: u32 = 2;
/** It was closed on purpose, and no manager opens it. */
export const PATH_CLOSED: u32 = 3;
/** With PATH_MODE_SINGLE: works, as far as is known, and waits for the one in use to fail. */
export const PATH_STANDBY: u32 = 4;
/** Joins failed on it: waits for its local address or link, an announcement, or for no other subflow to be left. */
export const PATH_FAILED: u32 = 5;

export const localAddressPool: Pool = changetype<Pool>(memory.data(64, 8));
export const remoteAddressPool: Pool = changetype<Pool>(memory.data(64, 8));
export const lostPathPool: Pool = changetype<Pool>(memory.data(64, 8));

export function pathsOpen(): void {
  poolOpen(localAddressPool, 48, NO_HANDLES);
  poolOpen(remoteAddressPool, 48, NO_HANDLES);
  poolOpen(lostPathPool, 72, NO_HANDLES);
}
