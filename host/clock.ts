/**
 * The time a stack lives in. All times are µs; only differences and order matter to the stack, but captures show
 * `now()` as the time since 1970.
 */
export interface Clock {
  /** The time, µs, an integer that never goes back. */
  now(): number;
  /** Runs `callback` once, at `deadline` (µs) or as soon after it as the clock can. Returns a function that forgets it. */
  schedule(deadline: number, callback: () => void): () => void;
  /** Runs `callback` when the application code that runs now has returned, before any input or output. */
  soon(callback: () => void): void;
  /** Runs `callback` when the application and the runtime's input and output had their turn. */
  later(callback: () => void): void;
  /** Keeps the process alive until the function it returns is called. */
  hold(): () => void;
  /**
   * Says that application code has been called or woken. A simulated clock then stands until that code has done
   * what it can do now; a real one cannot wait.
   */
  settle(): void;
}

/** Longest delay a timer of the runtime takes, ms. */
const TIMER_MAX = 2 ** 31 - 1;

/** The clock on the wall, as far as it is monotonic: µs since 1970 as of the start of the process, plus what passed. */
export class RealClock implements Clock {
  now(): number {
    return Math.floor((performance.timeOrigin + performance.now()) * 1000);
  }

  schedule(deadline: number, callback: () => void): () => void {
    let timer: NodeJS.Timeout;
    const arm = (): void => {
      // The runtime's timers have a limit and can be early by a fraction of a millisecond: both end in another round.
      const left = Math.ceil((deadline - this.now()) / 1000);
      timer = setTimeout(() => (this.now() < deadline ? arm() : callback()), Math.min(Math.max(left, 0), TIMER_MAX));
      // A deadline alone keeps no process alive: whoever needs the process to stay calls hold().
      timer.unref();
    };
    arm();
    return () => clearTimeout(timer);
  }

  soon(callback: () => void): void {
    queueMicrotask(callback);
  }

  later(callback: () => void): void {
    setImmediate(callback);
  }

  hold(): () => void {
    const timer = setInterval(() => undefined, TIMER_MAX);
    return () => clearInterval(timer);
  }

  settle(): void {
    // Real time does not wait for anybody.
  }
}
