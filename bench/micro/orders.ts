/** In which order pieces of a stream arrive. */
export type Order = 'inorder' | 'reversed' | 'random';

export const ORDERS: readonly Order[] = ['inorder', 'reversed', 'random'];

/**
 * The pieces 0 to `count` - 1 in the order of their arrival over `subflows`: piece p is sent on subflow p mod
 * `subflows`, and the subflows deliver in turn, each in order, reversed, or shuffled. They are one stretch apart, so
 * that their pieces do not simply follow each other.
 */
export function arrivals(count: number, subflows: number, order: Order): Uint32Array {
  const queues = Array.from({ length: subflows }, (_, subflow) => {
    const pieces: number[] = [];
    for (let piece = subflow; piece < count; piece += subflows) pieces.push(piece);
    if (order === 'reversed') pieces.reverse();
    if (order === 'random') shuffle(pieces, subflow + 1);
    return pieces;
  });
  const result = new Uint32Array(count);
  let at = 0;
  for (let turn = 0; at < count; turn++) {
    for (const [subflow, queue] of queues.entries()) {
      // Every subflow is a little behind the one before it.
      const piece = queue[turn - subflow * 3];
      if (piece !== undefined) result[at++] = piece;
    }
  }
  return result;
}

/** Fisher and Yates with a small generator: the same order in every run. */
export function shuffle(list: number[], seed: number): void {
  let state = seed;
  for (let last = list.length - 1; last > 0; last--) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const other = Math.floor((state / 2 ** 32) * (last + 1));
    const moved = list[last] as number;
    list[last] = list[other] as number;
    list[other] = moved;
  }
}
