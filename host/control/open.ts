import type { StackBase } from '../stack.js';
import { ControlServer } from './server.js';
import { StackTarget } from './stack-target.js';

/**
 * Opens a control socket for a stack, which the `mptcp` command then finds; see docs/commands.md. Without a path it lies
 * in a folder of this user's, named by the process id. It is closed with the stack.
 * @throws {ControlError} when the path cannot be used, in words that say why.
 */
export async function openControl(stack: StackBase, path?: string): Promise<ControlServer> {
  const control = await ControlServer.open(new StackTarget(stack), path);
  if (stack.closed) await control.close();
  else stack.once('close', () => void control.close());
  return control;
}
