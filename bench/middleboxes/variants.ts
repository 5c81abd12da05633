import {
  AckProxy,
  Alg,
  Coalescer,
  Corrupter,
  Duplicator,
  Holder,
  type Middlebox,
  milliseconds,
  Nat,
  Normaliser,
  OptionStripper,
  Replayer,
  RstInjector,
  SequenceRandomiser,
  SplitProxy,
  Splitter,
  seconds,
  UnknownDropper,
  type Way,
  WindowRewriter,
} from '../../host/node.js';

/** A box, or two in a row, as it stands on a path. */
export interface Variant {
  readonly name: string;
  /** One line for the table. */
  readonly does: string;
  /** It may change bytes on their way: without the DSS checksum nobody can tell. */
  readonly rewrites?: boolean;
  /** Longest mapping of the stacks: where it is short, merged segments have had several. */
  readonly mapBytes?: number;
  /** How long the application is silent in the middle, µs. */
  readonly pause?: number;
  /** The ways of packets that go through. */
  readonly only?: Way;
  /** What stands on path `path`, from the client on. */
  make(path: number, ipv6: boolean): readonly Middlebox[];
}

/** The texts of a client behind a NAT that the ALG looks for, and what it puts in their place. */
export const ALG_TEXTS = [
  { find: 'PORT 10,0,1,2,195,80', replace: 'PORT 10,0,1,100,195,80' },
  { find: 'Entering Passive Mode (192,168,100,100,195,80)', replace: 'Entering Passive Mode (10,0,1,1,195,80)' },
] as const;

/** The address of the NAT on a path, in the network of the server. */
function outside(path: number, ipv6: boolean): string {
  return ipv6 ? `fd00:${path}::100` : `10.0.${path}.100`;
}

const nat = (path: number, ipv6: boolean, more: { established?: number; transitory?: number } = {}): Nat =>
  new Nat({ addresses: [outside(path, ipv6)], ...more });

export const VARIANTS: readonly Variant[] = [
  { name: 'none', does: 'nothing: the path without a box', make: () => [] },
  { name: 'nat', does: 'NAT of address and port', make: (path, ipv6) => [nat(path, ipv6)] },
  {
    name: 'nat-timeout',
    does: 'the same, and it forgets flows that are silent for 2 s; the application is silent for 3 s',
    pause: seconds(3),
    make: (path, ipv6) => [nat(path, ipv6, { established: seconds(2), transitory: seconds(2) })],
  },
  { name: 'sequence', does: 'randomises sequence numbers', make: () => [new SequenceRandomiser()] },
  {
    name: 'sequence-nosack',
    does: 'the same, and leaves the blocks of SACK as they are',
    make: () => [new SequenceRandomiser({ sack: false })],
  },
  { name: 'split-every', does: 'cuts segments, options on every piece', make: () => [new Splitter()] },
  {
    name: 'split-first',
    does: 'cuts segments, options on the first piece only',
    make: () => [new Splitter({ options: 'first' })],
  },
  ...coalescers(),
  ...strippers(),
  {
    name: 'drop-syn',
    does: 'drops SYNs with unknown options',
    make: () => [new UnknownDropper({ segments: 'syn' })],
  },
  {
    name: 'drop-synack',
    does: 'the same, from the server to the client only',
    only: 'in',
    make: () => [new UnknownDropper({ segments: 'syn' })],
  },
  {
    name: 'drop-data',
    does: 'drops what has unknown options and is no SYN',
    make: () => [new UnknownDropper({ segments: 'data' })],
  },
  {
    name: 'drop-data-out',
    does: 'the same, from the client to the server only',
    only: 'out',
    make: () => [new UnknownDropper({ segments: 'data' })],
  },
  {
    name: 'drop-data-in',
    does: 'the same, from the server to the client only',
    only: 'in',
    make: () => [new UnknownDropper({ segments: 'data' })],
  },
  { name: 'drop-all', does: 'drops all that has unknown options', make: () => [new UnknownDropper()] },
  {
    name: 'alg',
    does: 'NAT with an ALG that changes addresses in the payload, and so its length',
    rewrites: true,
    make: (path, ipv6) => [new Alg(ALG_TEXTS), nat(path, ipv6)],
  },
  { name: 'window-clamp', does: 'clamps windows to 8 KiB', make: () => [new WindowRewriter({ clamp: 8192 })] },
  { name: 'window-half', does: 'halves windows', make: () => [new WindowRewriter({ factor: 0.5 })] },
  { name: 'window-noscale', does: 'takes Window Scale from SYNs', make: () => [new WindowRewriter({ noScale: true })] },
  { name: 'ack-proxy', does: 'acknowledges data before the receiver does', make: () => [new AckProxy()] },
  {
    name: 'proxy-pass',
    does: 'split-TCP proxy, MPTCP options pass',
    make: () => [new SplitProxy({ passMptcp: true })],
  },
  { name: 'proxy-drop', does: 'split-TCP proxy, MPTCP options end at it', make: () => [new SplitProxy()] },
  { name: 'normaliser', does: 'payload of retransmissions from its own copy', make: () => [new Normaliser()] },
  { name: 'replay', does: 'other bytes in retransmissions', rewrites: true, make: () => [new Replayer()] },
  { name: 'hold', does: 'holds segments until others have overtaken them', make: () => [new Holder()] },
  { name: 'duplicate', does: 'sends every packet twice', make: () => [new Duplicator()] },
  ...injectors(),
  {
    name: 'corrupt',
    does: 'changes payload and mends the TCP checksum',
    rewrites: true,
    make: () => [new Corrupter()],
  },
];

function coalescers(): Variant[] {
  return (['first', 'last'] as const).flatMap((keep) => {
    const make = (): Middlebox[] => [new Coalescer({ keep, hold: milliseconds(2) })];
    const does = `merges segments, options of the ${keep}`;
    return [
      { name: `coalesce-${keep}`, does, make },
      { name: `coalesce-${keep}-maps`, does: `${does}; mappings of 2,000 bytes`, mapBytes: 2000, make },
    ];
  });
}

function strippers(): Variant[] {
  const strip = (
    name: string,
    does: string,
    options: ConstructorParameters<typeof OptionStripper>[0],
    only?: Way,
  ): Variant => ({
    name: `strip-${name}`,
    does: `takes ${does}`,
    make: () => [new OptionStripper(options)],
    ...(only === undefined ? {} : { only }),
  });
  return [
    strip('syn', 'unknown options from SYNs', { segments: 'syn' }),
    strip('synack', 'MPTCP options from the SYN of the server', { options: 'mptcp', segments: 'syn' }, 'in'),
    strip('data', 'MPTCP options from all but SYNs', { options: 'mptcp', segments: 'data' }),
    strip('data-out', 'the same, from client to server only', { options: 'mptcp', segments: 'data' }, 'out'),
    strip('data-in', 'the same, from server to client only', { options: 'mptcp', segments: 'data' }, 'in'),
    strip('all', 'unknown options from everything', {}),
    strip('from10', 'MPTCP options from the 10th packet of each way on', { options: 'mptcp', from: 10 }),
    strip('from10-out', 'the same, from client to server only', { options: 'mptcp', from: 10 }, 'out'),
    strip('from10-in', 'the same, from server to client only', { options: 'mptcp', from: 10 }, 'in'),
  ];
}

function injectors(): Variant[] {
  return [
    { name: 'rst', does: 'sends a valid RST to both ends', make: () => [new RstInjector()] },
    {
      name: 'rst-out',
      does: 'sends a valid RST to the server',
      make: () => [new RstInjector({ towards: ['out'] })],
    },
    { name: 'rst-in', does: 'sends a valid RST to the client', make: () => [new RstInjector({ towards: ['in'] })] },
    {
      name: 'rst-window',
      does: 'sends RSTs in the window, but not next',
      make: () => [new RstInjector({ sequence: 'window' })],
    },
    {
      name: 'rst-outside',
      does: 'sends RSTs far outside the window',
      make: () => [new RstInjector({ sequence: 'outside' })],
    },
  ];
}
