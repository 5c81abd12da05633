import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type DemoResult, PATHS, type Progress, runDemo } from '../../host/cli/demo-download.js';
import { DemoView, introduction, summary } from '../../host/cli/demo-view.js';
import { PcapngWriter } from '../../host/link/pcapng.js';
import { tsharkObjections, withoutTshark } from '../tshark.js';

interface Run {
  readonly result: DemoResult;
  readonly capture: string;
  readonly progress: Progress[];
  readonly happened: string[];
}

async function run(seed: number, size: number): Promise<Run> {
  const hash = createHash('sha256');
  const writer = new PcapngWriter({ write: (bytes) => hash.update(bytes) });
  const progress: Progress[] = [];
  const happened: string[] = [];
  const result = await runDemo(
    { seed, size, realtime: false, capture: writer },
    { progress: (each) => progress.push(each), happened: (time, text) => happened.push(`${time > 0} ${text}`) },
  );
  writer.close();
  return { result, capture: hash.digest('hex'), progress, happened };
}

describe('the demo', () => {
  it('downloads over both paths, survives the cut, and repeats exactly', async () => {
    const size = 24 * 1024 * 1024;
    const first = await run(1, size);
    const second = await run(1, size);
    expect(second).toEqual(first);
    const other = await run(2, size);
    expect(other.result.ok).toBe(true);
    expect(other.capture).not.toBe(first.capture);

    const { result, progress, happened } = first;
    expect(result).toMatchObject({ ok: true, seed: 1, bytes: size, connections: 1, multipath: true });
    expect(result.sha256Received).toBe(result.sha256Sent);
    expect(happened).toEqual(['true wifi is cut: its packets vanish', 'true wifi is back']);
    expect(result.subflows.map(({ path }) => path)).toEqual(['wifi', 'lte']);
    for (const subflow of result.subflows) expect(subflow.bytes).toBeGreaterThan(size / 10);
    expect(result.subflows.reduce((sum, { bytes }) => sum + bytes, 0)).toBeGreaterThanOrEqual(size);
    expect(result.longestStallMs).toBeLessThan(1500);
    // Never faster than both paths together, and faster than the better one of them with its two seconds away.
    expect(result.goodputMbps).toBeLessThan(80);
    expect(result.goodputMbps).toBeGreaterThan(30);
    expect(progress.length).toBeGreaterThan(20);
    expect(progress.at(-1)?.received).toBe(size);
    expect(progress.some(({ paths }) => paths[0]?.cut === true && paths[0].rate === 0)).toBe(true);
  });
});

describe('the capture of the demo', () => {
  it.skipIf(withoutTshark)('is read by tshark without an objection (needs tshark)', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'demo-'));
    try {
      const path = join(folder, 'demo.pcapng');
      const capture = new PcapngWriter(path);
      const options = { seed: 4, size: 16 * 1024 * 1024, realtime: false, capture };
      const result = await runDemo(options, { progress: () => undefined, happened: () => undefined });
      capture.close();
      expect(result.ok).toBe(true);
      expect(await tsharkObjections(path)).toEqual([]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('the view of the demo', () => {
  const progress = (time: number, received: number): Progress => ({
    time,
    received,
    size: 1000,
    paths: PATHS.map((path, index) => ({ path, bytes: received / 2, rate: 1e6, cut: index === 0 && time > 1 })),
  });

  it('writes plain lines where there is no terminal', () => {
    let text = '';
    const view = new DemoView({ write: (each) => (text += each) });
    for (let time = 0; time < 2; time += 0.1) view.progress(progress(time, time * 500));
    view.happened(1.234, 'wifi is cut');
    expect(text).not.toContain('\x1b');
    const lines = text.trimEnd().split('\n');
    expect(lines.length).toBeGreaterThanOrEqual(4);
    expect(lines.length).toBeLessThanOrEqual(6);
    expect(lines[0]).toMatch(/0\.00 s {4}0\.0 % {2}wifi {3}8\.0 Mbit\/s/);
    expect(lines.at(-2)).toContain('(cut)');
    expect(lines.at(-1)).toBe('  1.23 s  wifi is cut');
  });

  it('redraws in place on a terminal', () => {
    let text = '';
    const view = new DemoView({ write: (each) => (text += each), isTTY: true });
    view.progress(progress(0.5, 500));
    view.happened(0.6, 'wifi is cut');
    view.progress(progress(2, 1000));
    expect(text.split('\x1b[3A\x1b[0J').length).toBe(3);
    expect(text).toContain('█');
    expect(text).toContain('100.0 %');
  });

  it('sums up', () => {
    const result: DemoResult = {
      ok: true,
      seed: 3,
      bytes: 1000,
      sha256Sent: 'aa',
      sha256Received: 'aa',
      seconds: 1,
      goodputMbps: 70.5,
      longestStallMs: 12.34,
      bytesReinjected: 2048,
      connections: 1,
      multipath: true,
      subflows: PATHS.map(({ name }) => ({
        path: name,
        bytes: 500,
        goodputMbps: 35.25,
        retransmits: 7,
        bytesRetransmitted: 9000,
        rttMs: 20.5,
      })),
    };
    const text = summary(result, 'out/demo.pcapng', 2);
    for (const part of [
      'wifi',
      'lte',
      '35.25',
      '7 (',
      '70.50',
      '12.3 ms',
      'aa',
      'out/demo.pcapng',
      '--seed 3',
      'never broke',
    ]) {
      expect(text).toContain(part);
    }
    expect(summary({ ...result, ok: false, sha256Received: 'bb' }, 'x', 1)).toContain('FAILED: the hashes differ');
    expect(introduction(64 << 20)).toContain('64.0 MiB');
  });
});
