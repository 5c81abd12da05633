/** Middle value of a list; the mean of the two in the middle when their number is even. @throws RangeError when empty. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/**
 * The value below which the part `q` (0 to 1) of a list lies, interpolated between neighbours.
 * @throws RangeError for an empty list or a `q` out of range.
 */
export function quantile(values: readonly number[], q: number): number {
  if (values.length === 0) throw new RangeError('no values: a quantile needs at least one');
  if (!(q >= 0 && q <= 1)) throw new RangeError(`quantile ${q}: it must be from 0 to 1`);
  const sorted = [...values].sort((a, b) => a - b);
  const at = (sorted.length - 1) * q;
  const below = sorted[Math.floor(at)] as number;
  const above = sorted[Math.ceil(at)] as number;
  return below + (above - below) * (at - Math.floor(at));
}

/** Half of the distance between the quartiles, as a part of the median: one round gone astray does not decide it. */
export function spread(values: readonly number[]): number {
  const middle = median(values);
  if (middle === 0) return 0;
  return (quantile(values, 0.75) - quantile(values, 0.25)) / 2 / Math.abs(middle);
}

/** Quotients of two lists measured alternately: round by round, so that what slows both cancels out. */
export function ratios(ours: readonly number[], peers: readonly number[]): number[] {
  return ours.slice(0, peers.length).map((value, index) => value / (peers[index] as number));
}

/** Geometric mean: the fair average of ratios. @throws RangeError when empty or not all above zero. */
export function geometricMean(values: readonly number[]): number {
  if (values.length === 0 || values.some((value) => !(value > 0))) {
    throw new RangeError('a geometric mean needs values above zero');
  }
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}

/** Jain's index of shares (RFC 5166 section 2.2): 1 when all are equal, 1/n when one has all. @throws RangeError when empty. */
export function jainIndex(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError('no values: an index of fairness needs at least one');
  const sum = values.reduce((total, value) => total + value, 0);
  const squares = values.reduce((total, value) => total + value * value, 0);
  return squares === 0 ? 1 : (sum * sum) / (values.length * squares);
}
