import { once } from 'node:events';
import { contentHash } from '../../host/cli/content.js';
import { Iperf3Service } from '../../host/cli/iperf3-session.js';
import { megabits } from '../../host/cli/transfer-report.js';
import type { NetworkNamespace } from '../../host/netns.js';
import { createNamespace, kernelCounters, Laboratory, labProgram, removeNamespace } from './laboratory.js';
import { Program } from './programs.js';
import type { Checks, Scenario } from './scenario.js';
import { TROUBLE } from './serve-scenarios.js';
import { PORT, startService } from './transfers.js';

const IPERF3_PORT = 5201;
const IPERF3_SECONDS = 5;

/** What the iperf3 client saw at the receiver. */
interface Iperf3Report {
  end: { sum_received: { bytes: number; bits_per_second: number } };
  error?: string;
}

/** Runs an iperf3 client under mptcpize and gives the goodput at the receiver, Mbit/s. */
async function iperf3Client(start: (...command: string[]) => Program, host: string, reverse: boolean): Promise<number> {
  const direction = reverse ? ['--reverse'] : [];
  const program = start(
    ...['mptcpize', 'run', 'iperf3', '--client', host, '--port', String(IPERF3_PORT)],
    ...['--time', String(IPERF3_SECONDS), '--json', ...direction],
  );
  const report = JSON.parse(await program.finish()) as Iperf3Report;
  if (report.error !== undefined) throw new Error(`iperf3: ${report.error}`);
  return Math.round(report.end.sum_received.bits_per_second / 1e5) / 10;
}

/** Kernel to kernel: two namespaces joined by two veth pairs, iperf3 on both ends. */
async function kernelBaseline(checks: Checks): Promise<{ toServer: number; toClient: number }> {
  const client = await createNamespace('client');
  const server = await createNamespace('server');
  const programs: Program[] = [];
  const start =
    (where: NetworkNamespace) =>
    (...command: string[]) => {
      const program = new Program(where, command);
      programs.push(program);
      return program;
    };
  try {
    for (const [index, number] of [1, 2].entries()) {
      const name = `path${index}`;
      await client.ip('link', 'add', name, 'type', 'veth', 'peer', 'name', name, 'netns', server.name);
      for (const [namespace, host] of [
        [client, 1],
        [server, 2],
      ] as const) {
        await namespace.ip('addr', 'add', `10.98.${number}.${host}/24`, 'dev', name);
        await namespace.ip('link', 'set', name, 'up');
      }
    }
    for (const namespace of [client, server]) {
      await namespace.ip('mptcp', 'limits', 'set', 'subflows', '4', 'add_addr_accepted', '4');
    }
    await server.ip('mptcp', 'endpoint', 'add', '10.98.2.2', 'signal');
    await start(server)('mptcpize', 'run', 'iperf3', '--server', '--port', String(IPERF3_PORT), '--forceflush').says(
      'listening',
    );
    const toServer = await iperf3Client(start(client), '10.98.1.2', false);
    const toClient = await iperf3Client(start(client), '10.98.1.2', true);
    checks.counted(await kernelCounters(client), 'MPTcpExtMPJoinSynAckRx');
    return { toServer, toClient };
  } finally {
    for (const program of programs) await program.stop();
    await removeNamespace(client);
    await removeNamespace(server);
  }
}

/** iperf3 under mptcpize against our stack, each way; the paths are as fast as they go. */
async function againstUs(checks: Checks, offload: boolean) {
  const lab = await Laboratory.create({ offload });
  try {
    const server = lab.stack.createServer({ noDelay: true });
    const errors: Error[] = [];
    const service = new Iperf3Service(server, (error) => errors.push(error));
    server.listen({ port: IPERF3_PORT });
    await once(server, 'listening');
    lab.stack.addEndpoint({ address: lab.path(1).ours, signal: true });
    const start = (...command: string[]) => lab.start(...command);
    const toUsMbps = await iperf3Client(start, lab.path(0).ours, false);
    const fromUsMbps = await iperf3Client(start, lab.path(0).ours, true);
    const counters = await lab.counters();
    checks.equal(service.results.length, 2, 'number of tests that ended well');
    checks.equal(errors.length, 0, `broken tests (${errors.map((error) => error.message).join('; ')})`);
    checks.that(toUsMbps > 0 && fromUsMbps > 0, `nothing was carried: ${toUsMbps} and ${fromUsMbps} Mbit/s`);
    checks.counted(counters, 'MPTcpExtMPJoinSynAckRx');
    checks.none(counters, ...TROUBLE);
    return { toUsMbps, fromUsMbps, shares: lab.shares(), counters };
  } finally {
    await lab.close();
  }
}

export const iperf3: Scenario = {
  name: 'iperf3',
  description:
    'iperf3 under mptcpize for 5 s each way against us, without and with offload, beside kernel to kernel over veth',
  async run(checks) {
    const kernel = await kernelBaseline(checks);
    const packets = await againstUs(checks, false);
    const offload = await againstUs(checks, true);
    return {
      seconds: 2 * IPERF3_SECONDS,
      goodputMbps: Math.min(packets.toUsMbps, packets.fromUsMbps),
      ...packets,
      kernelToServerMbps: kernel.toServer,
      kernelToClientMbps: kernel.toClient,
      offload,
    };
  },
};

const MANY = 200;
const MANY_BYTES = 1 << 20;

export const many: Scenario = {
  name: 'many',
  description: '200 connections at a time, 1 MiB over each; all correct, and everything back in its pool',
  async run(checks) {
    const lab = await Laboratory.create();
    try {
      const service = await startService(lab);
      lab.stack.addEndpoint({ address: lab.path(1).ours, signal: true });
      const start = performance.now();
      const output = await lab
        .start(
          ...['python3', labProgram('many_clients.py'), lab.path(0).ours, String(PORT), `/bytes/${MANY_BYTES}`],
          ...[String(MANY), contentHash(MANY_BYTES)],
        )
        .finish();
      const seconds = (performance.now() - start) / 1000;
      const { correct, bytes } = JSON.parse(output) as { correct: number; bytes: number };
      const counters = await lab.counters();
      checks.equal(correct, MANY, 'number of correct bodies');
      checks.equal(service.errors.length, 0, 'broken transfers');
      checks.counted(counters, 'MPTcpExtMPCapableSYNACKRX', MANY);
      checks.none(counters, ...TROUBLE);
      checks.equal(await lab.leftInUse(), '', 'what is in use afterwards');
      return { seconds, goodputMbps: megabits(bytes, seconds), connections: MANY, counters };
    } finally {
      await lab.close();
    }
  },
};
