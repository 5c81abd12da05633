#!/usr/bin/env node
import { UsageError } from './arguments.js';
import type { Command } from './command.js';
import { demo } from './demo.js';
import { endpoint } from './endpoint.js';
import { get } from './get.js';
import { iperf3 } from './iperf3.js';
import { limits } from './limits.js';
import { monitor } from './monitor.js';
import { nstat } from './nstat.js';
import { serve } from './serve.js';
import { set } from './settings.js';
import { sink } from './sink.js';
import { source } from './source.js';
import { ss } from './ss.js';
import { announce, subflow, withdraw } from './subflow.js';

/** Exit codes: what the user typed cannot be run; the command failed. */
const USAGE = 2;
const FAILURE = 1;

const COMMANDS: readonly Command[] = [
  ...[demo, serve, get, sink, source, iperf3],
  ...[endpoint, limits, monitor, ss, nstat, set, subflow, announce, withdraw],
];

function overview(): string {
  const width = Math.max(...COMMANDS.map(({ name }) => name.length));
  const rows = COMMANDS.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`);
  return ['mptcp COMMAND [options]', '', ...rows, '', 'mptcp help COMMAND tells more.'].join('\n');
}

function find(name: string): Command {
  const command = COMMANDS.find((candidate) => candidate.name === name);
  if (command !== undefined) return command;
  throw new UsageError(
    `there is no command ${JSON.stringify(name)}; there are ${COMMANDS.map((each) => each.name).join(', ')}`,
  );
}

/** Options in front of the command belong to it, as in `mptcp -j endpoint show`. */
function commandFirst(args: readonly string[]): string[] {
  const options: string[] = [];
  const rest = [...args];
  while (rest[0]?.startsWith('-') === true && rest[0] !== '--help' && rest[0] !== '-h') {
    options.push(...rest.splice(0, rest[0] === '--control' ? 2 : 1));
  }
  return [...rest.slice(0, 1), ...options, ...rest.slice(1)];
}

async function main(args: readonly string[]): Promise<number> {
  const [first, ...rest] = commandFirst(args);
  if (first === undefined || first === '--help' || first === '-h' || first === 'help') {
    console.log(rest[0] === undefined ? overview() : find(rest[0]).usage);
    return first === undefined ? USAGE : 0;
  }
  const command = find(first);
  if (rest.includes('--help') || rest.includes('-h')) {
    console.log(command.usage);
    return 0;
  }
  try {
    return await command.run(rest);
  } catch (error) {
    // What parseArgs of node:util finds wrong is the user's to mend as well.
    if (error instanceof TypeError && `${(error as NodeJS.ErrnoException).code}`.startsWith('ERR_PARSE_ARGS_')) {
      const [line] = error.message.split('\n');
      throw new UsageError(`${line} mptcp help ${command.name} tells what can be given`, { cause: error });
    }
    throw error;
  }
}

// Whoever reads our output has had enough, as in `mptcp monitor | head`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const usage = error instanceof UsageError;
  // Errors that name their cause in words need no stack trace; others are mistakes in this program and do.
  const known = usage || (error instanceof Error && 'code' in error);
  console.error(known ? `mptcp: ${error.message}` : error);
  process.exitCode = usage ? USAGE : FAILURE;
}
