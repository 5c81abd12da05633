import type { SubflowInfo } from '../info.js';

/** One transfer, for people and for `--json`. */
export interface TransferReport {
  bytes: number;
  seconds: number;
  goodputMbps: number;
  sha256?: string;
  /** Multipath TCP was in use. */
  multipath: boolean;
  /** The DSS checksum was in use. */
  checksum: boolean;
  subflows: SubflowReport[];
}

/** What one subflow carried. */
export interface SubflowReport {
  id: number;
  local: string;
  remote: string;
  bytesSent: number;
  bytesReceived: number;
  retransmits: number;
  srttMs: number;
}

/** Megabits per second, to one digit behind the point. */
export function megabits(bytes: number, seconds: number): number {
  return seconds > 0 ? Math.round((bytes * 8) / seconds / 1e5) / 10 : 0;
}

export function subflowReports(subflows: readonly SubflowInfo[]): SubflowReport[] {
  return subflows.map((info) => ({
    id: info.id,
    local: `${info.localAddress}:${info.localPort}`,
    remote: `${info.remoteAddress}:${info.remotePort}`,
    bytesSent: info.bytesSent,
    bytesReceived: info.bytesReceived,
    retransmits: info.retransmits,
    srttMs: Math.round(info.srtt / 10) / 100,
  }));
}

/** The report as lines of text: figures, then a row for every subflow. */
export function reportLines(report: TransferReport): string[] {
  const { bytes, seconds, goodputMbps, sha256, multipath } = report;
  const kind = multipath ? 'Multipath TCP' : 'plain TCP';
  const lines = [`${bytes} bytes in ${seconds.toFixed(3)} s, ${goodputMbps} Mbit/s, ${kind}`];
  if (sha256 !== undefined) lines.push(`sha256 ${sha256}`);
  return [...lines, ...subflowRows(report.subflows)];
}

function subflowRows(subflows: readonly SubflowReport[]): string[] {
  const head = ['subflow', 'local', 'remote', 'sent', 'received', 'retransmits', 'rtt ms'];
  const rows = subflows.map((each) =>
    [each.id, each.local, each.remote, each.bytesSent, each.bytesReceived, each.retransmits, each.srttMs].map(String),
  );
  return columns([head, ...rows]);
}

/** Rows of cells under each other, the first column flush left and numbers flush right. */
export function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) =>
        /^[\d.,-]+$/.test(cell) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  );
}
