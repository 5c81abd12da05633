import type { Command } from './command.js';
import { printJson, REACH_USAGE, reachArguments, Words, withHost } from './reach.js';

const MOST = 31;

export const limits: Command = {
  name: 'limits',
  summary: 'limits of the path manager of a running host, as "ip mptcp limits"',
  usage: `mptcp limits set [ subflows NR ] [ add_addr_accepted NR ]
mptcp limits show

How many subflows a connection may have beside its first one, and how many addresses that the peer announced it may
join; 0 to ${MOST}.

${REACH_USAGE}`,

  async run(args) {
    const { values, words: typed } = reachArguments(args);
    const words = new Words('limits', typed);
    if (words.verb('set', 'show') === 'show') {
      words.done();
      const shown = await withHost(values.control, (host) => host.request('limits.get'));
      const { add_addr_accepted, subflows } = shown as unknown as Record<string, number>;
      if (values.json) printJson([{ add_addr_accepted, subflows }], values);
      else console.log(`add_addr_accepted ${add_addr_accepted} subflows ${subflows} `);
      return 0;
    }
    const given: Record<string, number> = {};
    for (let word = words.take(); word !== undefined; word = words.take()) {
      const text = word;
      const limit = ['subflows', 'add_addr_accepted'].find((candidate) => candidate.startsWith(text));
      if (limit === undefined) throw words.unknown(word);
      given[limit] = words.number(limit, 0, MOST);
    }
    await withHost(values.control, (host) => host.request('limits.set', given));
    return 0;
  },
};
