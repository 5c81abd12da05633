import { execFile } from 'node:child_process';
import { cpus, type as osType, release, totalmem } from 'node:os';
import { promisify } from 'node:util';
import { ROOT } from './peers/programs.js';

const run = promisify(execFile);

/** What a report says about where and of what its figures are: names and values in the order to show them. */
export type Provenance = readonly (readonly [string, string])[];

/** Machine, versions, command and date of this run. */
export async function provenance(args: readonly string[], seconds: number): Promise<Provenance> {
  const [cpu] = cpus();
  return [
    ['Command', `npm run bench${args.length > 0 ? ` -- ${args.join(' ')}` : ''}`],
    ['Date', `${new Date().toISOString().slice(0, 16).replace('T', ' ')} UTC, ${Math.round(seconds)} s`],
    ['Commit', await commit()],
    ['Processor', `${cpu?.model.trim() ?? 'unknown'}, ${cpus().length} logical cores`],
    ['Memory', `${Math.round(totalmem() / 2 ** 30)} GiB`],
    ['System', `${osType()} ${release()}`],
    ['Node', `${process.version}, V8 ${process.versions.v8}`],
    ['C compiler', await firstLine('cc', '--version')],
    ['Rust', await firstLine('rustc', '--version')],
    ['iperf3', await firstLine('iperf3', '--version')],
  ];
}

async function commit(): Promise<string> {
  const [hash, changes] = await Promise.all([
    firstLine('git', '-C', ROOT, 'rev-parse', '--short=12', 'HEAD'),
    firstLine('git', '-C', ROOT, 'status', '--porcelain', '--untracked-files=no'),
  ]);
  return changes === '' ? hash : `${hash} with changes`;
}

async function firstLine(program: string, ...args: readonly string[]): Promise<string> {
  try {
    const { stdout } = await run(program, args);
    return stdout.split('\n')[0]?.trim() ?? '';
  } catch (error) {
    const { code } = error as { code?: string | number };
    return code === 'ENOENT' ? 'not installed' : `${program} failed`;
  }
}
