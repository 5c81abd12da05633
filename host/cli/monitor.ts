import type { MonitorView } from '../control/monitor.js';
import type { Command } from './command.js';
import { REACH_USAGE, reachArguments, Words, withHost } from './reach.js';
import { untilTerminated } from './termination.js';

export const monitor: Command = {
  name: 'monitor',
  summary: 'tells the events of a running host as they come, as "ip mptcp monitor"',
  usage: `mptcp monitor [ -j ]

Prints a line for every event, until it is interrupted or the host ends: CREATED, ESTABLISHED, CLOSED, ANNOUNCED,
REMOVED, SF_ESTABLISHED, SF_CLOSED, SF_PRIO, LISTENER_CREATED and LISTENER_CLOSED. LOST says how many were left out
because they were not read fast enough. With -j one JSON object a line.

${REACH_USAGE}`,

  async run(args) {
    const { values, words } = reachArguments(args);
    new Words('monitor', words).done();
    return withHost(values.control, (host) => {
      const told = async (): Promise<number> => {
        for await (const line of host.monitor()) {
          const event = 'lost' in line ? { event: 'LOST', count: line.lost } : line.event;
          console.log(values.json ? JSON.stringify(event) : monitorLine(event as unknown as MonitorView));
        }
        return 0;
      };
      return untilTerminated(told());
    });
  },
};

/** A line of `ip mptcp monitor`; the device has a name here, where there a number may stand. */
export function monitorLine({ event, ...fields }: MonitorView): string {
  const parts = Object.entries(fields).map(([name, value]) => `${name}=${value}`);
  return [`[${event.padStart(16)}]`, ...parts].join(' ');
}
