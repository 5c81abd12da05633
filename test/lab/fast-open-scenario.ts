import { once } from 'node:events';
import type { Socket } from '../../host/node.js';
import { type Family, Laboratory, labProgram } from './laboratory.js';
import type { Checks, Scenario } from './scenario.js';

const PORT = 8080;
/** Exchanges in each direction: the first gets the cookie, the others bring bytes with the SYN. */
const COUNT = 5;
const BYTES = 100_000;
/** What the kernel counts when it goes on without Multipath TCP, or cannot place what it gets. */
const FALLBACKS = [
  'MPTcpExtMPCapableFallbackACK',
  'MPTcpExtMPCapableFallbackSYNACK',
  'MPTcpExtMPCapableDataFallback',
  'MPTcpExtDssFallback',
  'MPTcpExtDSSNoMatchTCP',
  'MPTcpExtDSSNotMatching',
];

/** Sends bytes over a connection with Fast Open and waits until they came back. */
async function exchange(lab: Laboratory, data: Buffer, mptcp: boolean): Promise<void> {
  const socket = lab.stack.connect({ host: lab.path(0).kernel, port: PORT, mptcp, fastOpen: true });
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  let fallback: string | undefined;
  socket.once('end', () => {
    fallback = socket.info()?.fallback;
  });
  socket.end(data);
  await once(socket, 'close');
  if (mptcp && fallback !== 'none') throw new Error(`it fell back: ${String(fallback)}`);
  if (!Buffer.concat(chunks).equals(data)) throw new Error('other bytes came back');
}

/** The kernel asks us, then we ask the kernel. */
async function bothWays(checks: Checks, family: Family, mptcp: boolean): Promise<Record<string, number>> {
  const lab = await Laboratory.create({
    families: [family],
    sysctl: { 'net.ipv4.tcp_fastopen': 3 },
    config: { fastopen: 3 },
  });
  try {
    const program = labProgram('fast_open.py');
    const protocol = mptcp ? 'mptcp' : 'tcp';
    const what = `${family}, ${protocol}`;
    const server = lab.stack.createServer({ fastOpen: true, allowHalfOpen: true }, (peer: Socket) => peer.pipe(peer));
    server.listen(PORT);
    await once(server, 'listening');
    await lab.start('python3', program, 'call', protocol, lab.path(0).ours, `${PORT}`, `${COUNT}`).finish();
    server.close();
    const { fastopenPassive, fastopenPassiveFail } = lab.stack.counters();
    checks.equal(fastopenPassive, COUNT - 1, `${what}: SYNs of the kernel whose bytes were taken`);
    checks.equal(fastopenPassiveFail, 0, `${what}: SYNs of the kernel with a wrong cookie`);

    const theirs = lab.start('python3', program, 'serve', protocol, lab.path(0).kernel, `${PORT}`, `${COUNT}`);
    await theirs.says('listening');
    const data = Buffer.from(Array.from({ length: BYTES }, (_, index) => (index * 37) & 255));
    for (let count = 0; count < COUNT; count++) await exchange(lab, data, mptcp);
    await theirs.finish();
    const { fastopenActive, fastopenActiveFail } = lab.stack.counters();
    checks.equal(fastopenActive, COUNT - 1, `${what}: our SYNs whose bytes the kernel took`);
    checks.equal(fastopenActiveFail, 0, `${what}: our SYNs that were of no use`);

    const counters = await lab.counters();
    checks.counted(counters, 'TcpExtTCPFastOpenActive', COUNT - 1);
    checks.counted(counters, 'TcpExtTCPFastOpenPassive', COUNT - 1);
    checks.none(counters, 'TcpExtTCPFastOpenActiveFail', 'TcpExtTCPFastOpenPassiveFail');
    if (mptcp) {
      checks.counted(counters, 'MPTcpExtMPCapableSYNACKRX', COUNT);
      checks.counted(counters, 'MPTcpExtMPCapableACKRX', COUNT);
      checks.equal(lab.stack.counters().MPTcpExtMPCapableACKRX, COUNT, `${what}: third ACKs of the kernel with keys`);
    }
    checks.none(counters, ...FALLBACKS);
    checks.equal(await lab.leftInUse(), '', `${what}: what is in use afterwards`);
    return counters;
  } finally {
    await lab.close();
  }
}

export const fastOpen: Scenario = {
  name: 'fast-open',
  description:
    'Fast Open of TCP and Multipath TCP with the kernel as client and as server, over IPv4 and IPv6: all SYNs but the first bring bytes',
  async run(checks) {
    const start = performance.now();
    const ipv4 = await bothWays(checks, 'ipv4', false);
    const ipv6 = await bothWays(checks, 'ipv6', false);
    const counters = await bothWays(checks, 'ipv4', true);
    const mptcp6 = await bothWays(checks, 'ipv6', true);
    const seconds = (performance.now() - start) / 1000;
    // There and back, in both directions, over both families, by both protocols.
    return { seconds, goodputMbps: (16 * COUNT * BYTES * 8) / seconds / 1e6, counters, mptcp6, ipv4, ipv6 };
  },
};
