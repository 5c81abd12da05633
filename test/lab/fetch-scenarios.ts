import { Laboratory } from './laboratory.js';
import type { Checks, Figures, Scenario } from './scenario.js';
import { FAIR_PART, PATH_RATE, TROUBLE, withoutHash } from './serve-scenarios.js';
import { BODY_BYTES, checkBody, curlDownload, fetchFromKernel, startKernelServer, startService } from './transfers.js';

const PLAIN_BYTES = 64 << 20;
const SIGNAL_BYTES = 64 << 20;

export const fetchKernel: Scenario = {
  name: 'fetch-kernel',
  description:
    'our client downloads 256 MiB from a server in the kernel over paths as in serve-curl, and joins the second',
  async run(checks) {
    const lab = await Laboratory.create({ rate: PATH_RATE });
    try {
      await startKernelServer(lab, 'mptcp', BODY_BYTES);
      lab.stack.addEndpoint({ address: lab.path(1).ours, subflow: true });
      const { info, ...transfer } = await fetchFromKernel(lab);
      const counters = await lab.counters();
      checkBody(checks, transfer, BODY_BYTES, 'download');
      checks.equal(info?.multipath, true, 'Multipath TCP on our side');
      const shares = lab.shares();
      checks.shares(shares, FAIR_PART);
      checks.counted(counters, 'MPTcpExtMPCapableACKRX');
      checks.counted(counters, 'MPTcpExtMPJoinAckRx');
      checks.none(counters, ...TROUBLE);
      checks.equal(await lab.leftInUse(), '', 'what is in use afterwards');
      return { ...withoutHash(transfer), shares, counters };
    } finally {
      await lab.close();
    }
  },
};

/** Each side cuts its first path in the middle of a download; the other goes on. */
async function cutWhileServing(checks: Checks): Promise<Figures> {
  const lab = await Laboratory.create({ rate: PATH_RATE });
  try {
    const service = await startService(lab, (bytes) => {
      if (bytes >= BODY_BYTES / 2) lab.path(0).link.cut();
    });
    lab.stack.addEndpoint({ address: lab.path(1).ours, signal: true });
    const transfer = await curlDownload(lab, BODY_BYTES);
    const counters = await lab.counters();
    checkBody(checks, transfer, BODY_BYTES, 'download with a cut path');
    checks.equal(service.errors.length, 0, 'broken transfers');
    checks.that(lab.path(0).link.lost > 0, 'nothing was lost on the path that was cut');
    checks.none(counters, ...TROUBLE);
    return { ...withoutHash(transfer), shares: lab.shares(), lost: lab.path(0).link.lost, counters };
  } finally {
    await lab.close();
  }
}

async function cutWhileFetching(checks: Checks): Promise<Figures> {
  const lab = await Laboratory.create({ rate: PATH_RATE });
  try {
    await startKernelServer(lab, 'mptcp', BODY_BYTES);
    lab.stack.addEndpoint({ address: lab.path(1).ours, subflow: true });
    const { info: _unused, ...transfer } = await fetchFromKernel(lab, (bytes) => {
      if (bytes >= BODY_BYTES / 2) lab.path(0).link.cut();
    });
    const counters = await lab.counters();
    checkBody(checks, transfer, BODY_BYTES, 'fetch with a cut path');
    checks.that(lab.path(0).link.lost > 0, 'nothing was lost on the path that was cut');
    checks.none(counters, ...TROUBLE);
    return { ...withoutHash(transfer), shares: lab.shares(), lost: lab.path(0).link.lost, counters };
  } finally {
    await lab.close();
  }
}

export const pathCut: Scenario = {
  name: 'path-cut',
  description: 'the first path dies silently at half of serve-curl and of fetch-kernel; both end well',
  async run(checks) {
    const serve = await cutWhileServing(checks);
    const fetch = await cutWhileFetching(checks);
    return {
      seconds: serve.seconds + fetch.seconds,
      goodputMbps: Math.min(serve.goodputMbps, fetch.goodputMbps),
      stallMs: Math.max(Number(serve.stallMs), Number(fetch.stallMs)),
      serve,
      fetch,
    };
  },
};

export const plainCurl: Scenario = {
  name: 'plain-curl',
  description: 'curl without Multipath TCP is served as plain TCP, and our client speaks to a plain TCP server',
  async run(checks) {
    const serving = await Laboratory.create();
    let serve: Figures;
    try {
      const service = await startService(serving);
      serving.stack.addEndpoint({ address: serving.path(1).ours, signal: true });
      const transfer = await curlDownload(serving, PLAIN_BYTES, false);
      const counters = await serving.counters();
      checkBody(checks, transfer, PLAIN_BYTES, 'plain download');
      checks.equal(service.transfers[0]?.multipath, false, 'Multipath TCP on our side');
      checks.none(counters, 'MPTcpExtMPCapableSYNTX', 'MPTcpExtMPCapableSYNACKRX', 'MPTcpExtMPJoinSynAckRx');
      serve = { ...withoutHash(transfer), counters };
    } finally {
      await serving.close();
    }
    const fetching = await Laboratory.create();
    try {
      await startKernelServer(fetching, 'tcp', PLAIN_BYTES);
      fetching.stack.addEndpoint({ address: fetching.path(1).ours, subflow: true });
      const { info, ...transfer } = await fetchFromKernel(fetching);
      const counters = await fetching.counters();
      checkBody(checks, transfer, PLAIN_BYTES, 'plain fetch');
      checks.equal(info?.fallback, 'peerSynAck', 'reason for plain TCP');
      checks.none(counters, 'MPTcpExtMPCapableACKRX', 'MPTcpExtMPJoinAckRx');
      const fetch: Figures = { ...withoutHash(transfer), counters };
      return {
        seconds: serve.seconds + fetch.seconds,
        goodputMbps: Math.min(serve.goodputMbps, fetch.goodputMbps),
        serve,
        fetch,
      };
    } finally {
      await fetching.close();
    }
  },
};

export const signal: Scenario = {
  name: 'signal',
  description: 'we announce our second address and the kernel joins it; then the kernel announces and we join',
  async run(checks) {
    const announcing = await Laboratory.create();
    let ours: Figures;
    try {
      await startService(announcing);
      announcing.stack.addEndpoint({ address: announcing.path(1).ours, signal: true });
      const transfer = await curlDownload(announcing, SIGNAL_BYTES);
      const counters = await announcing.counters();
      checkBody(checks, transfer, SIGNAL_BYTES, 'download');
      checks.counted(counters, 'MPTcpExtAddAddr');
      checks.counted(counters, 'MPTcpExtEchoAddTx');
      checks.counted(counters, 'MPTcpExtMPJoinSynTx');
      checks.counted(counters, 'MPTcpExtMPJoinSynAckRx');
      checks.none(counters, 'MPTcpExtAddAddrDrop', 'MPTcpExtMPJoinSynAckHMacFailure');
      checks.that(announcing.stack.counters().MPTcpExtEchoAdd > 0, 'the echo of our ADD_ADDR did not come');
      ours = { ...withoutHash(transfer), shares: announcing.shares(), counters };
    } finally {
      await announcing.close();
    }
    const joining = await Laboratory.create();
    try {
      await startKernelServer(joining, 'mptcp', SIGNAL_BYTES);
      await joining.namespace.ip('mptcp', 'endpoint', 'add', joining.path(1).kernel, 'signal');
      const { info: _unused, ...transfer } = await fetchFromKernel(joining);
      const counters = await joining.counters();
      checkBody(checks, transfer, SIGNAL_BYTES, 'fetch');
      checks.counted(counters, 'MPTcpExtAddAddrTx');
      checks.counted(counters, 'MPTcpExtEchoAdd');
      checks.counted(counters, 'MPTcpExtMPJoinSynRx');
      checks.counted(counters, 'MPTcpExtMPJoinAckRx');
      checks.none(counters, 'MPTcpExtMPJoinAckHMacFailure');
      const theirs: Figures = { ...withoutHash(transfer), shares: joining.shares(), counters };
      return {
        seconds: ours.seconds + theirs.seconds,
        goodputMbps: Math.min(ours.goodputMbps, theirs.goodputMbps),
        ours,
        theirs,
      };
    } finally {
      await joining.close();
    }
  },
};
