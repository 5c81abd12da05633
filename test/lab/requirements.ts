import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

const PROGRAMS = ['ip', 'nstat', 'bash', 'curl', 'mptcpize', 'iperf3', 'python3', 'tshark'];

/** Why the laboratory cannot run here, in words; empty when it can. */
export function obstacles(): string[] {
  if (process.platform !== 'linux') return [`it needs Linux and this is ${process.platform}`];
  if (process.getuid?.() !== 0) return ['it needs root, for network namespaces and TUN devices'];
  const found: string[] = [];
  if (!usable('/dev/net/tun', constants.R_OK | constants.W_OK)) {
    found.push(
      '/dev/net/tun cannot be used: load it with "modprobe tun" or start the container with "--device /dev/net/tun"',
    );
  }
  if (!usable('/proc/sys/net/mptcp/enabled', constants.R_OK)) {
    found.push('the kernel has no Multipath TCP (CONFIG_MPTCP, net.mptcp.enabled)');
  }
  const directories = (process.env.PATH ?? '').split(delimiter);
  for (const program of PROGRAMS) {
    if (!directories.some((directory) => usable(join(directory, program), constants.X_OK))) {
      found.push(`the program ${program} is not installed`);
    }
  }
  return found;
}

function usable(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}
