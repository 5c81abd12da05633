import type { CounterName } from '../abi.js';

/**
 * Counters under the names `nstat` gives them, in its order. A name of several counters is their sum. Only what counts
 * the same as the kernel's counter of that name has it; what is left is shown behind, with `Stack` in front.
 */
const NAMES: readonly (readonly [name: string, ...counters: CounterName[]])[] = [
  ['IpInReceives', 'packetsIn'],
  ['IpInHdrErrors', 'dropIpHeader', 'dropIpChecksum'],
  ['IpInAddrErrors', 'dropIpAddress'],
  ['IpInUnknownProtos', 'dropIpProtocol'],
  ['IpOutRequests', 'packetsOut'],
  ['IpReasmFails', 'dropIpFragment'],
  ['IcmpInErrors', 'dropIcmp'],
  ['IcmpInEchos', 'icmpEcho'],
  ['IcmpOutEchoReps', 'icmpEcho'],
  ['TcpActiveOpens', 'activeOpens'],
  ['TcpPassiveOpens', 'passiveOpens'],
  ['TcpRetransSegs', 'retransmits'],
  ['TcpInErrs', 'dropTcpHeader', 'dropTcpChecksum'],
  ['TcpOutRsts', 'rstOut'],
  ['TcpInCsumErrors', 'dropTcpChecksum'],
  ['TcpExtSyncookiesSent', 'synCookieOut'],
  ['TcpExtSyncookiesRecv', 'synCookieGood'],
  ['TcpExtSyncookiesFailed', 'synCookieBad'],
  ['TcpExtOutOfWindowIcmps', 'icmpStray'],
  ['TcpExtPAWSEstab', 'dropPaws'],
  ['TcpExtListenDrops', 'dropBacklog'],
  ['TcpExtTCPTimeouts', 'timeouts'],
  ['TcpExtTCPLossProbes', 'tailProbes'],
  ['TcpExtTCPChallengeACK', 'challengeAck'],
  ['TcpExtTCPFastOpenActive', 'fastopenActive'],
  ['TcpExtTCPFastOpenActiveFail', 'fastopenActiveFail'],
  ['TcpExtTCPFastOpenPassive', 'fastopenPassive'],
  ['TcpExtTCPFastOpenPassiveFail', 'fastopenPassiveFail'],
  ['TcpExtTCPFastOpenListenOverflow', 'fastopenOverflow'],
  ['IpExtInOctets', 'bytesIn'],
  ['IpExtOutOctets', 'bytesOut'],
  ['IpExtInCEPkts', 'ecnMarked'],
];

/** The kernel's own order of MPTcpExt. */
const MPTCP_NAMES =
  'MPCapableSYNRX MPCapableSYNTX MPCapableSYNACKRX MPCapableACKRX MPCapableFallbackACK MPCapableFallbackSYNACK ' +
  'MPCapableSYNTXDrop MPCapableSYNTXDisabled MPCapableEndpAttempt MPFallbackTokenInit MPTCPRetrans ' +
  'MPJoinNoTokenFound MPJoinSynRx MPJoinSynBackupRx MPJoinSynAckRx MPJoinSynAckBackupRx MPJoinSynAckHMacFailure ' +
  'MPJoinAckRx MPJoinAckHMacFailure MPJoinRejected MPJoinSynTx MPJoinSynTxCreatSkErr MPJoinSynTxBindErr ' +
  'MPJoinSynTxConnectErr DSSNotMatching DSSCorruptionFallback DSSCorruptionReset InfiniteMapTx InfiniteMapRx ' +
  'DSSNoMatchTCP DataCsumErr OFOQueueTail OFOQueue OFOMerge NoDSSInWindow DuplicateData AddAddr AddAddrTx ' +
  'AddAddrTxDrop EchoAdd EchoAddTx EchoAddTxDrop PortAdd AddAddrDrop MPJoinPortSynRx MPJoinPortSynAckRx ' +
  'MPJoinPortAckRx MismatchPortSynRx MismatchPortAckRx RmAddr RmAddrDrop RmAddrTx RmAddrTxDrop RmSubflow MPPrioTx ' +
  'MPPrioRx MPFailTx MPFailRx MPFastcloseTx MPFastcloseRx MPRstTx MPRstRx SubflowStale SubflowRecover SndWndShared ' +
  'RcvWndShared RcvWndConflictUpdate RcvWndConflict MPCurrEstab Blackhole MPCapableDataFallback MD5SigFallback ' +
  'DssFallback SimultConnectFallback FallbackFailed WinProbe';

/** The counters of a host as `nstat` would list them. */
export function nstatCounters(counters: Readonly<Record<string, number>>): Map<string, number> {
  const shown = new Map<string, number>();
  const left = new Set(Object.keys(counters));
  const value = (name: string): number => {
    left.delete(name);
    return counters[name] ?? 0;
  };
  for (const [name, ...parts] of NAMES)
    shown.set(
      name,
      parts.reduce((sum, part) => sum + value(part), 0),
    );
  for (const name of MPTCP_NAMES.split(' ')) shown.set(`MPTcpExt${name}`, value(`MPTcpExt${name}`));
  for (const name of left) {
    const own = name.startsWith('MPTcpExt') ? name : `Stack${name[0]?.toUpperCase()}${name.slice(1)}`;
    shown.set(own, counters[name] ?? 0);
  }
  return shown;
}

/** A name fits a pattern of the shell: `*`, `?` and `[...]`. */
export function fits(pattern: string, name: string): boolean {
  const source = pattern.replace(/[*?]|\[!?[^\]]+\]|[\\^$.|+(){}[\]/]/g, (part) => {
    if (part === '*') return '.*';
    if (part === '?') return '.';
    return part.length > 1 ? part.replace(/^\[!/, '[^').replaceAll('\\', '\\\\') : `\\${part}`;
  });
  return new RegExp(`^${source}$`).test(name);
}
