import { createRequire } from 'node:module';

const SCHED_OTHER = 0;
const SCHED_RR = 2;
/** Programs and threads that this one starts are scheduled as usual. */
const SCHED_RESET_ON_FORK = 0x40000000;

/**
 * Has this thread run before all others but those of a higher priority, 1 to 99, or as usual for 0 (`sched(7)`). A
 * relay or a stack that waits for the processor is measured as a path with more delay; a kernel's TCP never waits so.
 * Returns false when the machine does not let it.
 */
export function runAhead(priority: number): boolean {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi')['default'];
  const setScheduler = koffi.load(null).func('sched_setscheduler', 'int', ['int', 'int', 'void *']);
  const parameters = Buffer.alloc(4);
  parameters.writeInt32LE(priority);
  const policy = priority === 0 ? SCHED_OTHER : SCHED_RR | SCHED_RESET_ON_FORK;
  const result: number = setScheduler(0, policy, parameters);
  return result === 0;
}
