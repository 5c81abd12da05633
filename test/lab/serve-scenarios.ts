import { Laboratory, type LaboratoryOptions } from './laboratory.js';
import type { Checks, Figures, Scenario } from './scenario.js';
import { BODY_BYTES, checkBody, curlDownload, curlUpload, startService } from './transfers.js';

/**
 * Rate of each path where both must be in use, bytes per second. TUN devices have no rate of their own: without one, a
 * path is as fast as the processor, and one of them is enough for everything.
 */
export const PATH_RATE = 300e6 / 8;
const PATHS = `two paths of ${(PATH_RATE * 8) / 1e6} Mbit/s`;

/** The least part of the bytes that each of two equal paths must carry. */
export const FAIR_PART = 0.2;

/** Counters of the kernel that tell of a connection that lost its mappings or became plain TCP. */
export const TROUBLE = [
  'MPTcpExtMPCapableFallbackSYNACK',
  'MPTcpExtMPCapableFallbackACK',
  'MPTcpExtMPFailTx',
  'MPTcpExtMPFailRx',
  'MPTcpExtInfiniteMapRx',
  'MPTcpExtDataCsumErr',
  'MPTcpExtDSSNotMatching',
  'MPTcpExtDSSCorruptionReset',
];

/** The kernel downloads over two paths: we announce the address of the second, it joins. */
async function download(checks: Checks, options: LaboratoryOptions, withChecksum = false): Promise<Figures> {
  const lab = await Laboratory.create({ rate: PATH_RATE, ...options });
  try {
    const service = await startService(lab);
    lab.stack.addEndpoint({ address: lab.path(1).ours, signal: true });
    const transfer = await curlDownload(lab, BODY_BYTES);
    const counters = await lab.counters();
    checkBody(checks, transfer, BODY_BYTES, 'download');
    checks.equal(
      service.errors.length,
      0,
      `broken transfers (${service.errors.map((error) => error.message).join('; ')})`,
    );
    checks.equal(service.transfers[0]?.checksum, withChecksum, 'use of the DSS checksum');
    const cookies = lab.stack.counters().synCookieGood;
    checks.equal(cookies, options.config?.synCookies === 2 ? 1 : 0, 'connections made from a SYN cookie');
    const shares = await checkBothPaths(checks, lab, counters);
    return { ...withoutHash(transfer), shares, counters };
  } finally {
    await lab.close();
  }
}

/** The kernel used both paths, nothing went wrong, and nothing is left in use. Returns the part of each path. */
async function checkBothPaths(
  checks: Checks,
  lab: Laboratory,
  counters: Readonly<Record<string, number>>,
): Promise<number[]> {
  const shares = lab.shares();
  checks.shares(shares, FAIR_PART);
  checks.counted(counters, 'MPTcpExtMPCapableSYNACKRX');
  checks.counted(counters, 'MPTcpExtMPJoinSynAckRx');
  checks.none(counters, ...TROUBLE);
  checks.equal(await lab.leftInUse(), '', 'what is in use afterwards');
  return shares;
}

/** The figures of a transfer; its hash was compared already. */
export function withoutHash<T extends { sha256: string }>(transfer: T): Omit<T, 'sha256'> {
  const { sha256: _compared, ...figures } = transfer;
  return figures;
}

export const serveCurl: Scenario = {
  name: 'serve-curl',
  description: `curl under mptcpize downloads 256 MiB from our HTTP server over ${PATHS}, each carries 20 % or more`,
  run: (checks) => download(checks, {}),
};

export const uploadCurl: Scenario = {
  name: 'upload-curl',
  description: `curl under mptcpize uploads 256 MiB to our HTTP server over ${PATHS}, each carries 20 % or more`,
  async run(checks) {
    const lab = await Laboratory.create({ rate: PATH_RATE });
    try {
      const service = await startService(lab);
      lab.stack.addEndpoint({ address: lab.path(1).ours, signal: true });
      const transfer = await curlUpload(lab, BODY_BYTES);
      const counters = await lab.counters();
      checkBody(checks, transfer, BODY_BYTES, 'upload');
      checks.equal(service.errors.length, 0, 'broken transfers');
      const shares = await checkBothPaths(checks, lab, counters);
      return { ...withoutHash(transfer), shares, counters };
    } finally {
      await lab.close();
    }
  },
};

export const checksum: Scenario = {
  name: 'checksum',
  description: 'serve-curl with net.mptcp.checksum_enabled=1: every mapping has a checksum, none is wrong',
  run: (checks) => download(checks, { sysctl: { 'net.mptcp.checksum_enabled': 1 } }, true),
};

export const synCookies: Scenario = {
  name: 'syn-cookies',
  description: 'serve-curl with a server that keeps nothing of a SYN: Multipath TCP comes of the third ACK',
  run: (checks) => download(checks, { config: { synCookies: 2 } }),
};

export const ipv6: Scenario = {
  name: 'ipv6',
  description: 'serve-curl over two IPv6 paths, and over one IPv6 and one IPv4 path',
  async run(checks) {
    const both = await download(checks, { families: ['ipv6', 'ipv6'] });
    const mixed = await download(checks, { families: ['ipv6', 'ipv4'] });
    return {
      seconds: both.seconds + mixed.seconds,
      goodputMbps: Math.min(both.goodputMbps, mixed.goodputMbps),
      both,
      mixed,
    };
  },
};
