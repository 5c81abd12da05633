/** What a TCP flow can get out of a path, by the models that the standards give. Rates are Mbit/s of payload. */

/** IPv4 header, TCP header and the timestamps option of every segment, bytes. */
const HEADERS = 20 + 20 + 12;

/** A path as one flow sees it. */
export interface PathShape {
  /** Mbit/s on the wire, headers included. */
  readonly rate: number;
  /** Round-trip time without queueing, ms. */
  readonly rtt: number;
  /** Largest IP packet, bytes. */
  readonly mtu: number;
  /** Probability that a packet with data is lost. */
  readonly loss: number;
}

export function payloadOf(mtu: number): number {
  return mtu - HEADERS;
}

/** The payload that the link carries when it never rests. */
export function linkGoodput({ rate, mtu }: PathShape): number {
  return (rate * payloadOf(mtu)) / mtu;
}

/**
 * Mathis, Semke, Mahdavi and Ott, "The macroscopic behavior of the TCP congestion avoidance algorithm": the window
 * of Reno is √(3/2)/√p segments when it grows by the bytes acknowledged (RFC 5681 section 3.1), whatever acknowledgments
 * are delayed. RFC 3819 section 8.5 has the same form, with a smaller constant.
 */
export function mathisGoodput(path: PathShape): number {
  return windowGoodput(Math.sqrt(1.5 / path.loss), path);
}

/** RFC 9438 section 5.1: the average window of CUBIC in segments, with C = 0.4 and β = 0.7. */
export function cubicGoodput(path: PathShape): number {
  const beta = 0.7;
  const c = 0.4;
  const shape = ((c * (3 + beta)) / (4 * (1 - beta))) ** 0.25;
  return windowGoodput(shape * (path.rtt / 1000 / path.loss) ** 0.75, path);
}

/** What theory lets a controller have: never more than the link, and CUBIC never less than Reno (RFC 9438 section 4.3). */
export function theory(controller: string, path: PathShape): number {
  const link = linkGoodput(path);
  if (path.loss === 0) return link;
  const reno = mathisGoodput(path);
  return Math.min(link, controller === 'cubic' ? Math.max(reno, cubicGoodput(path)) : reno);
}

/** A window of so many segments each round trip. */
function windowGoodput(segments: number, { rtt, mtu }: PathShape): number {
  return (segments * payloadOf(mtu) * 8) / (rtt * 1000);
}
