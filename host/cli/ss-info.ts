/** What `ss -i` says of a subflow and of a connection, field by field in its order. */
import type { ConnectionView, SubflowView } from '../control/view.js';

/** What the threshold is at first: none. */
const NO_THRESHOLD = 1 << 29;

/** Up to six significant digits, as `%g` of printf. */
function brief(value: number): string {
  return String(Number(value.toPrecision(6)));
}

const ms = (time: number): string => brief(time / 1000);
/** Milliseconds, whole. */
const wholeMs = (time: number): string => String(Math.round(time / 1000));

/** The line of a TCP socket. `extended` adds what was agreed on, as `-e` does. */
export function tcpInfo(connection: ConnectionView | undefined, subflow: SubflowView, extended: boolean): string {
  const parts: string[] = [];
  const add = (condition: boolean | number, ...texts: string[]): void => {
    if (condition) parts.push(...texts);
  };
  const segments = (bytes: number): number => Math.ceil(bytes / Math.max(subflow.mss, 1));
  if (extended) {
    add(subflow.timestamps, 'ts');
    add(subflow.sack, 'sack');
    add(subflow.ecn, 'ecn');
    add(subflow.synData, 'fastopen');
  }
  add(connection !== undefined, subflow.congestion);
  add(subflow.windowScaling, `wscale:${subflow.sndShift},${subflow.rcvShift}`);
  add(subflow.rto, `rto:${ms(subflow.rto)}`);
  add(subflow.backoff, `backoff:${subflow.backoff}`);
  add(subflow.srtt, `rtt:${ms(subflow.srtt)}/${ms(subflow.rttVar)}`);
  add(subflow.ato, `ato:${ms(subflow.ato)}`);
  add(subflow.mss, `mss:${subflow.mss}`);
  add(subflow.pmtu, `pmtu:${subflow.pmtu}`);
  add(subflow.rcvMss, `rcvmss:${subflow.rcvMss}`);
  add(subflow.advMss, `advmss:${subflow.advMss}`);
  const cwnd = Math.floor(subflow.cwnd / Math.max(subflow.mss, 1));
  add(cwnd, `cwnd:${cwnd}`);
  add(subflow.ssthresh < NO_THRESHOLD, `ssthresh:${Math.floor(subflow.ssthresh / Math.max(subflow.mss, 1))}`);
  add(subflow.bytesSent, `bytes_sent:${subflow.bytesSent}`);
  add(subflow.bytesRetransmitted, `bytes_retrans:${subflow.bytesRetransmitted}`);
  add(subflow.bytesAcked, `bytes_acked:${subflow.bytesAcked}`);
  add(subflow.bytesReceived, `bytes_received:${subflow.bytesReceived}`);
  add(subflow.segmentsOut, `segs_out:${subflow.segmentsOut}`);
  add(subflow.segmentsIn, `segs_in:${subflow.segmentsIn}`);
  add(subflow.dataSegmentsOut, `data_segs_out:${subflow.dataSegmentsOut}`);
  add(subflow.dataSegmentsIn, `data_segs_in:${subflow.dataSegmentsIn}`);
  add(subflow.srtt && cwnd, `send ${Math.round((subflow.cwnd * 8e6) / subflow.srtt)}bps`);
  add(subflow.dataSegmentsOut, `lastsnd:${wholeMs(subflow.lastDataSent)}`);
  add(subflow.dataSegmentsIn, `lastrcv:${wholeMs(subflow.lastDataReceived)}`);
  add(subflow.segmentsIn, `lastack:${wholeMs(subflow.lastReceived)}`);
  add(subflow.pacingRate, `pacing_rate ${subflow.pacingRate * 8}bps`);
  add(subflow.deliveryRate, `delivery_rate ${subflow.deliveryRate * 8}bps`);
  add(subflow.delivered, `delivered:${segments(subflow.delivered)}`);
  // Of a Multipath TCP connection these are times of all subflows together: the connection has them.
  if (connection !== undefined && !showsMptcp(connection)) parts.push(...limitedTimes(connection));
  add(subflow.outstanding, `unacked:${segments(subflow.outstanding)}`);
  add(subflow.retransmits, `retrans:${segments(subflow.retransmitted)}/${subflow.retransmits}`);
  add(subflow.lost, `lost:${segments(subflow.lost)}`);
  add(subflow.sacked, `sacked:${segments(subflow.sacked)}`);
  add(subflow.duplicates, `dsack_dups:${subflow.duplicates}`);
  add(subflow.rcvRtt, `rcv_rtt:${ms(subflow.rcvRtt)}`);
  add(subflow.rcvSpace, `rcv_space:${subflow.rcvSpace}`);
  add(subflow.rcvWindow, `rcv_ssthresh:${subflow.rcvWindow}`);
  add(subflow.notSent, `notsent:${subflow.notSent}`);
  add(subflow.minRtt, `minrtt:${ms(subflow.minRtt)}`);
  add(subflow.outOfOrder, `rcv_ooopack:${subflow.outOfOrder}`);
  add(subflow.sndWindow, `snd_wnd:${subflow.sndWindow}`);
  if (connection?.multipath === true) parts.push(...ulpInfo(connection, subflow));
  return parts.join(' ');
}

/** What the socket knows of Multipath TCP: flags and the tokens and address ids of both ends, the remote one first. */
function ulpInfo(connection: ConnectionView, subflow: SubflowView): string[] {
  const initial = subflow.initial;
  const done = subflow.state !== 'synSent' && subflow.state !== 'synReceived';
  const letters: [string, boolean][] = [
    ['M', initial],
    ['m', initial && subflow.activeOpen],
    ['J', !initial],
    ['j', !initial && subflow.activeOpen],
    ['B', subflow.backupRemote],
    ['b', subflow.backupLocal],
    ['e', done],
    ['c', done],
  ];
  const flags = letters.flatMap(([letter, set]) => (set ? [letter] : [])).join('');
  const remote = !initial && subflow.activeOpen ? connection.remoteToken : 0;
  const end = (token: number, id: number): string => `${token.toString(16).padStart(4, '0')}(id:${id})`;
  return [
    'tcp-ulp-mptcp',
    `flags:${flags}`,
    `token:${end(remote, subflow.remoteId)}/${end(connection.localToken, subflow.localId)}`,
  ];
}

function limitedTimes({ busyTime, windowLimitedTime, bufferLimitedTime }: ConnectionView): string[] {
  if (busyTime === 0) return [];
  const share = (time: number): string => `${wholeMs(time)}ms(${((100 * time) / busyTime).toFixed(1)}%)`;
  return [
    `busy:${wholeMs(busyTime)}ms`,
    ...(windowLimitedTime > 0 ? [`rwnd_limited:${share(windowLimitedTime)}`] : []),
    ...(bufferLimitedTime > 0 ? [`sndbuf_limited:${share(bufferLimitedTime)}`] : []),
  ];
}

/** A connection that `ss -M` would show: Multipath TCP, or plain TCP after this side asked for it. */
export function showsMptcp({ fallback, state, owner }: ConnectionView): boolean {
  return fallback !== 'notAsked' && fallback !== 'peerSyn' && !(state === 'connecting' && owner === 'none');
}

/** The line of a connection of Multipath TCP: `struct mptcp_info`, what is 0 left out. */
export function mptcpInfo(connection: ConnectionView): string {
  const parts: string[] = [];
  const number = (name: string, value: number): void => {
    if (value > 0) parts.push(`${name}:${value}`);
  };
  const hex = (value: string): string => BigInt(value).toString(16);
  number('subflows', connection.mptcpi_subflows);
  number('add_addr_signal', connection.mptcpi_add_addr_signal);
  number('add_addr_accepted', connection.mptcpi_add_addr_accepted);
  number('subflows_max', connection.mptcpi_subflows_max);
  number('add_addr_signal_max', connection.mptcpi_add_addr_signal_max);
  number('add_addr_accepted_max', connection.mptcpi_add_addr_accepted_max);
  if (!connection.multipath && connection.fallback !== 'none') parts.push('fallback');
  if (connection.hasRemoteKey) parts.push('remote_key');
  parts.push(`token:${connection.localToken.toString(16)}`);
  parts.push(`write_seq:${hex(connection.sndEnd)}`);
  parts.push(`snd_una:${hex(connection.sndUna)}`);
  parts.push(`rcv_nxt:${hex(connection.rcvNxt)}`);
  number('local_addr_used', connection.mptcpi_local_addr_used);
  number('local_addr_max', connection.mptcpi_local_addr_max);
  number('csum_enabled', connection.mptcpi_csum_enabled);
  number('retransmits', connection.mptcpi_retransmits);
  number('bytes_retrans', connection.mptcpi_bytes_retrans);
  number('bytes_sent', connection.mptcpi_bytes_sent);
  number('bytes_received', connection.mptcpi_bytes_received);
  number('bytes_acked', connection.mptcpi_bytes_acked);
  number('subflows_total', connection.mptcpi_subflows_total);
  number('last_data_sent', connection.mptcpi_last_data_sent);
  number('last_data_recv', connection.mptcpi_last_data_recv);
  number('last_ack_recv', connection.mptcpi_last_ack_recv);
  return parts.join(' ');
}
