import { accessSync, constants } from 'node:fs';
import type { TestContext } from 'vitest';

/** Why TUN devices cannot be made here, or undefined when they can. */
export function tunObstacle(): string | undefined {
  if (process.platform !== 'linux') return `TUN devices need Linux and this is ${process.platform}`;
  if (process.getuid?.() !== 0) return 'TUN devices and network namespaces need root';
  try {
    accessSync('/dev/net/tun', constants.R_OK | constants.W_OK);
  } catch (error) {
    return `/dev/net/tun cannot be used: ${error instanceof Error ? error.message : error}`;
  }
  return undefined;
}

/** Skips the test with the reason in words where TUN devices cannot be made; in CI that is a failure. */
export function needsTun(context: TestContext): void {
  const obstacle = tunObstacle();
  if (obstacle === undefined) return;
  if (process.env.CI === 'true') throw new Error(`this test must run in CI, but ${obstacle}`);
  context.skip(obstacle);
}
