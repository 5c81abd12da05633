import { openTun } from '../../host/link/tun.js';
import type { NetworkNamespace } from '../../host/netns.js';
import { Stack } from '../../host/node.js';
import { createNamespace, kernelCounters, removeNamespace } from '../../test/lab/laboratory.js';
import { Program } from '../../test/lab/programs.js';

/** Where a client program in a kernel meets a server: one of ours over TUN devices, or one in another kernel. */
export interface Bed {
  /** The server's first address. */
  readonly host: string;
  /** Starts a program beside the client. */
  startClient(...command: string[]): Program;
  /** MP_JOINs that were answered since the bed was made. */
  joins(): Promise<number>;
  close(): Promise<void>;
}

const MEMORY = 256 << 20;

/** Programs of a bed, all ended with it. */
class Programs {
  readonly #started: Program[] = [];

  start(namespace: NetworkNamespace, command: readonly string[]): Program {
    const program = new Program(namespace, command);
    this.#started.push(program);
    return program;
  }

  async stop(): Promise<void> {
    for (const program of this.#started) await program.stop();
  }
}

/** A stack of ours, and a kernel at the other end of its TUN devices. */
export class TunBed implements Bed {
  readonly host = '10.97.1.2';
  readonly #programs = new Programs();

  private constructor(
    readonly stack: Stack,
    readonly namespace: NetworkNamespace,
  ) {}

  /** @param paths TUN devices; the stack announces its addresses on all of them. */
  static async create(paths: number, offload: boolean): Promise<TunBed> {
    const stack = new Stack({ name: 'bench', memory: MEMORY, config: { limitSubflows: 4, timeWait: 200_000 } });
    const namespace = await createNamespace('bench');
    try {
      await namespace.ip('mptcp', 'limits', 'set', 'subflows', '4', 'add_addr_accepted', '4');
      for (let path = 1; path <= paths; path++) {
        const name = `path${path}`;
        const link = openTun({ name, netns: namespace.name, addresses: [`10.97.${path}.1/24`], offload });
        stack.addLink(link, { addresses: [`10.97.${path}.2/24`] });
        if (path > 1) {
          await namespace.routeBySource(`10.97.${path}.1`, name, 100 + path);
          stack.addEndpoint({ address: `10.97.${path}.2`, signal: true });
        }
      }
      return new TunBed(stack, namespace);
    } catch (error) {
      stack.close();
      await removeNamespace(namespace);
      throw error;
    }
  }

  startClient(...command: string[]): Program {
    return this.#programs.start(this.namespace, command);
  }

  async joins(): Promise<number> {
    return (await kernelCounters(this.namespace)).MPTcpExtMPJoinSynAckRx ?? 0;
  }

  async close(): Promise<void> {
    await this.#programs.stop();
    this.stack.close();
    await removeNamespace(this.namespace);
  }
}

/** Two kernels joined by veth pairs. */
export class VethBed implements Bed {
  readonly host = '10.97.1.2';
  readonly #programs = new Programs();

  private constructor(
    readonly client: NetworkNamespace,
    readonly server: NetworkNamespace,
  ) {}

  static async create(paths: number): Promise<VethBed> {
    const client = await createNamespace('client');
    const server = await createNamespace('server');
    const bed = new VethBed(client, server);
    try {
      for (let path = 1; path <= paths; path++) {
        const name = `path${path}`;
        await client.ip('link', 'add', name, 'type', 'veth', 'peer', 'name', name, 'netns', server.name);
        for (const [namespace, host] of [
          [client, 1],
          [server, 2],
        ] as const) {
          await namespace.ip('addr', 'add', `10.97.${path}.${host}/24`, 'dev', name);
          await namespace.ip('link', 'set', name, 'up');
        }
        if (path > 1) await server.ip('mptcp', 'endpoint', 'add', `10.97.${path}.2`, 'signal');
      }
      for (const namespace of [client, server]) {
        await namespace.ip('mptcp', 'limits', 'set', 'subflows', '4', 'add_addr_accepted', '4');
      }
      return bed;
    } catch (error) {
      await bed.close();
      throw error;
    }
  }

  startServer(...command: string[]): Program {
    return this.#programs.start(this.server, command);
  }

  startClient(...command: string[]): Program {
    return this.#programs.start(this.client, command);
  }

  async joins(): Promise<number> {
    return (await kernelCounters(this.client)).MPTcpExtMPJoinSynAckRx ?? 0;
  }

  async close(): Promise<void> {
    await this.#programs.stop();
    await removeNamespace(this.client);
    await removeNamespace(this.server);
  }
}
