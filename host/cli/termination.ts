/** Settles when the user or the system asks this process to end. */
export function terminated(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, resolve);
  });
}

/** Runs `action`; a signal ends it early, so that what comes after still tidies up. Gives the exit code. */
export async function untilTerminated(action: Promise<number>): Promise<number> {
  const signalled = terminated().then((signal) => (signal === 'SIGINT' ? 130 : 143));
  return Promise.race([action, signalled]);
}
