import { ENDPOINTS_MAX } from '../abi';

/** A path-manager endpoint, as `ip mptcp endpoint` shows them. */
@unmanaged
export class Endpoint {
  hi: u64;
  lo: u64;
  port: u32;
  /** Address id, 1 to 255; 0 while the entry is unused. */
  id: u32;
  /** ENDPOINT_ bits. */
  flags: u32;
  unused: u32;
}

const endpoints: usize = memory.data(32 * 32, 8);

export function endpointAt(index: i32): Endpoint {
  return changetype<Endpoint>(endpoints + ((<usize>index) << 5));
}

/** The index of the endpoint with an id, or -1. */
export function endpointOfId(id: u32): i32 {
  if (id == 0) return -1;
  for (let i = 0; i < ENDPOINTS_MAX; i++) if (endpointAt(i).id == id) return i;
  return -1;
}

/** The index of the endpoint with an address, or -1. */
export function endpointOfAddress(hi: u64, lo: u64): i32 {
  for (let i = 0; i < ENDPOINTS_MAX; i++) {
    const endpoint = endpointAt(i);
    if (endpoint.id != 0 && endpoint.hi == hi && endpoint.lo == lo) return i;
  }
  return -1;
}

/** True when an endpoint announces a port. */
export function endpointListens(port: u32): bool {
  for (let i = 0; i < ENDPOINTS_MAX; i++) {
    const endpoint = endpointAt(i);
    if (endpoint.id != 0 && endpoint.port == port && port != 0) return true;
  }
  return false;
}
