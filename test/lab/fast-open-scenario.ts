import { once } from 'node:events';
import type { Socket } from '../../host/node.js';
import { type Family, Laboratory, labProgram } from './laboratory.js';
import type { Checks, Scenario } from './scenario.js';

const PORT = 8080;
/** Exchanges in each direction: the first gets the cookie, the others bring bytes with the SYN. */
const COUNT = 5;
const BYTES = 100_000;

/** Sends bytes over a connection with Fast Open and waits until they came back. */
async function exchange(lab: Laboratory, data: Buffer): Promise<void> {
  const socket = lab.stack.connect({ host: lab.path(0).kernel, port: PORT, mptcp: false, fastOpen: true });
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.end(data);
  await once(socket, 'close');
  if (!Buffer.concat(chunks).equals(data)) throw new Error('other bytes came back');
}

/** The kernel asks us, then we ask the kernel. */
async function bothWays(checks: Checks, family: Family): Promise<Record<string, number>> {
  const lab = await Laboratory.create({
    families: [family],
    sysctl: { 'net.ipv4.tcp_fastopen': 3 },
    config: { fastopen: 3 },
  });
  try {
    const program = labProgram('fast_open.py');
    const server = lab.stack.createServer({ fastOpen: true, allowHalfOpen: true }, (peer: Socket) => peer.pipe(peer));
    server.listen(PORT);
    await once(server, 'listening');
    await lab.start('python3', program, 'call', lab.path(0).ours, `${PORT}`, `${COUNT}`).finish();
    server.close();
    const { fastopenPassive, fastopenPassiveFail } = lab.stack.counters();
    checks.equal(fastopenPassive, COUNT - 1, `${family}: SYNs of the kernel whose bytes were taken`);
    checks.equal(fastopenPassiveFail, 0, `${family}: SYNs of the kernel with a wrong cookie`);

    const theirs = lab.start('python3', program, 'serve', lab.path(0).kernel, `${PORT}`, `${COUNT}`);
    await theirs.says('listening');
    const data = Buffer.from(Array.from({ length: BYTES }, (_, index) => (index * 37) & 255));
    for (let count = 0; count < COUNT; count++) await exchange(lab, data);
    await theirs.finish();
    const { fastopenActive, fastopenActiveFail } = lab.stack.counters();
    checks.equal(fastopenActive, COUNT - 1, `${family}: our SYNs whose bytes the kernel took`);
    checks.equal(fastopenActiveFail, 0, `${family}: our SYNs that were of no use`);

    const counters = await lab.counters();
    checks.counted(counters, 'TcpExtTCPFastOpenActive', COUNT - 1);
    checks.counted(counters, 'TcpExtTCPFastOpenPassive', COUNT - 1);
    checks.none(counters, 'TcpExtTCPFastOpenActiveFail', 'TcpExtTCPFastOpenPassiveFail');
    checks.equal(await lab.leftInUse(), '', `${family}: what is in use afterwards`);
    return counters;
  } finally {
    await lab.close();
  }
}

export const fastOpen: Scenario = {
  name: 'fast-open',
  description:
    'TCP Fast Open with the kernel as client and as server, over IPv4 and IPv6: all SYNs but the first bring bytes',
  async run(checks) {
    const start = performance.now();
    const ipv4 = await bothWays(checks, 'ipv4');
    const ipv6 = await bothWays(checks, 'ipv6');
    const seconds = (performance.now() - start) / 1000;
    // There and back, in both directions, over both families.
    return { seconds, goodputMbps: (8 * COUNT * BYTES * 8) / seconds / 1e6, counters: ipv4, ipv6 };
  },
};
