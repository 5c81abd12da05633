import { parseArgs } from 'node:util';
import { columns } from '../../host/cli/transfer-report.js';
import { fastOpen } from './fast-open-scenario.js';
import { fetchKernel, pathCut, plainCurl, signal } from './fetch-scenarios.js';
import { joinBackup } from './join-backup.js';
import { joinFastclose } from './join-endings.js';
import { joinEndpoints } from './join-endpoints.js';
import { joinFail } from './join-fail.js';
import { joinLinkFailure } from './join-failures.js';
import { joinFamilies } from './join-families.js';
import { joinFullmesh } from './join-fullmesh.js';
import { joinPorts } from './join-ports.js';
import { joinRemove } from './join-remove.js';
import { joinChecksum, joinCookies, joinDeny } from './join-settings.js';
import { joinSignal } from './join-signal.js';
import { joinSubflows } from './join-subflows.js';
import { removeLeftoversAtExit } from './leftovers.js';
import { iperf3, many } from './load-scenarios.js';
import { obstacles } from './requirements.js';
import { Checks, type Choice, type Figures, type Scenario } from './scenario.js';
import { checksum, ipv6, serveCurl, synCookies, uploadCurl } from './serve-scenarios.js';
import { simultFlows } from './simult-flows.js';
import { tcpBlackout, tcpCubic, tcpFairness, tcpReno, tcpReorder } from './tcp-scenarios.js';

const SCENARIOS: readonly Scenario[] = [
  serveCurl,
  uploadCurl,
  fetchKernel,
  pathCut,
  plainCurl,
  signal,
  checksum,
  ipv6,
  synCookies,
  fastOpen,
  joinSubflows,
  joinSignal,
  joinRemove,
  joinEndpoints,
  joinBackup,
  joinPorts,
  joinFamilies,
  joinFullmesh,
  joinCookies,
  joinChecksum,
  joinDeny,
  joinFastclose,
  joinFail,
  joinLinkFailure,
  simultFlows,
  iperf3,
  many,
  tcpReno,
  tcpCubic,
  tcpBlackout,
  tcpReorder,
  tcpFairness,
];

/** No scenario takes so long, ms, unless it says so; one that does hangs. */
const DEADLINE_MS = 120_000;

interface Outcome extends Partial<Figures> {
  pass: boolean;
  problems?: string[];
}

const USAGE = `npm run lab -- [--json] [--only NAME[,NAME]] [--cell TEXT] [--kernels] [--full] [--list]

Our stack against the Linux kernel over two TUN devices, in network namespaces made for it. Needs root.
  --json   one JSON object on one line, a key for every scenario
  --only   run these scenarios only
  --cell   of the join-... scenarios only the cells that have TEXT in their names
  --kernels  run the join-... scenarios between two kernels: shows that what they expect is what a kernel does
  --full   all cells of tcp-reno and tcp-cubic, not a sample: ten minutes more
  --list   say what the scenarios are`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      json: { type: 'boolean', default: false },
      only: { type: 'string' },
      cell: { type: 'string' },
      kernels: { type: 'boolean', default: false },
      full: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help || values.list) {
    console.log(
      values.help ? USAGE : columns(SCENARIOS.map(({ name, description }) => [name, description])).join('\n'),
    );
    return 0;
  }
  const chosen = choose(values.only);
  const reasons = obstacles();
  if (reasons.length > 0) {
    const must = process.env.CI === 'true';
    console.error(`the laboratory ${must ? 'must run in CI but cannot' : 'is skipped'}: ${reasons.join('; ')}`);
    if (values.json) console.log(JSON.stringify({ skipped: reasons }));
    return must ? 1 : 0;
  }
  removeLeftoversAtExit();
  const outcomes: Record<string, Outcome> = {};
  for (const scenario of chosen) {
    if (!values.json) console.log(`${scenario.name}: ${scenario.description}`);
    const outcome = await attempt(scenario, values.full, { cell: values.cell, kernels: values.kernels });
    outcomes[scenario.name] = outcome;
    if (values.json)
      console.error(`${scenario.name}: ${outcome.pass ? 'pass' : `FAIL: ${outcome.problems?.join('; ')}`}`);
    else console.log(`${outcomeLines(outcome).join('\n')}\n`);
  }
  if (values.json) console.log(JSON.stringify(outcomes));
  else console.log(summary(outcomes).join('\n'));
  return Object.values(outcomes).every(({ pass }) => pass) ? 0 : 1;
}

function choose(only: string | undefined): readonly Scenario[] {
  if (only === undefined) return SCENARIOS;
  return only.split(',').map((name) => {
    const scenario = SCENARIOS.find((each) => each.name === name);
    if (scenario !== undefined) return scenario;
    throw new Error(
      `--only ${name}: there is no such scenario; there are ${SCENARIOS.map((each) => each.name).join(', ')}`,
    );
  });
}

async function attempt(scenario: Scenario, full: boolean, choice: Choice): Promise<Outcome> {
  const checks = new Checks();
  const { deadline = DEADLINE_MS } = scenario;
  let figures: Figures | undefined;
  let timer: NodeJS.Timeout | undefined;
  try {
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`not done after ${deadline / 1000} s`)), deadline);
    });
    figures = await Promise.race([scenario.run(checks, full, choice), late]);
  } catch (error) {
    checks.problems.push(error instanceof Error ? error.message : String(error));
  } finally {
    clearTimeout(timer);
  }
  const pass = checks.problems.length === 0;
  return { pass, ...figures, ...(pass ? {} : { problems: checks.problems }) };
}

function outcomeLines(outcome: Outcome): string[] {
  const { pass, problems = [], ...figures } = outcome;
  return [`  ${pass ? 'pass' : 'FAIL'}`, ...problems.map((problem) => `    ${problem}`), ...figureLines(figures, '  ')];
}

function figureLines(figures: Readonly<Record<string, unknown>>, indent: string): string[] {
  return Object.entries(figures).flatMap(([name, value]) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      const text = typeof value === 'number' ? String(Math.round(value * 1000) / 1000) : JSON.stringify(value);
      return [`${indent}${name} ${text}`];
    }
    const inner = Object.entries(value);
    if (name === 'counters') return [`${indent}${inner.map(([counter, count]) => `${counter} ${count}`).join(', ')}`];
    return [`${indent}${name}`, ...figureLines(Object.fromEntries(inner), `${indent}  `)];
  });
}

function summary(outcomes: Readonly<Record<string, Outcome>>): string[] {
  const rows = Object.entries(outcomes).map(([name, { pass, seconds, goodputMbps }]) => [
    name,
    pass ? 'pass' : 'FAIL',
    seconds?.toFixed(2) ?? '-',
    goodputMbps?.toFixed(1) ?? '-',
  ]);
  return columns([['scenario', 'result', 'seconds', 'Mbit/s'], ...rows]);
}

main().then(
  // What a failed scenario left running must not keep the process alive; what it left behind is removed at exit.
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(2);
  },
);
