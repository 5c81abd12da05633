import { ControlError, failureOf } from '../control/protocol.js';
import { ControlServer, type ControlTarget } from '../control/server.js';

/** The option for `util.parseArgs` of every command that is a host. */
export const HOST_CONTROL_OPTION = { control: { type: 'string' } } as const;

/** Its part of a command's usage text. */
export const HOST_CONTROL_USAGE = `  --control PATH     control socket, for mptcp endpoint, ss, nstat and the like; "none" opens none (default:
                     mptcp-wasm/PID.sock in $XDG_RUNTIME_DIR, or in /run for root)`;

/**
 * Opens the control socket that `--control` names. That of the default path is a convenience: where it cannot be made,
 * the command says so and goes on.
 * @throws {ControlError} when the path the user gave cannot be used.
 */
export async function openHostControl(
  target: ControlTarget,
  path: string | undefined,
): Promise<ControlServer | undefined> {
  if (path === 'none') return undefined;
  try {
    return await ControlServer.open(target, path);
  } catch (error) {
    if (path !== undefined || !(error instanceof ControlError)) throw error;
    const { message } = failureOf(error);
    console.error(`no control socket: ${message}; choose one with --control PATH`);
    return undefined;
  }
}
