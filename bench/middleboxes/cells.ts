import type { Place, Result, Scenario } from './transfer.js';
import { VARIANTS } from './variants.js';

/** A scenario with its name, `middleboxes/BOX-ipv4-2sf-PLACE-checksum-v0`; what is as usual is left out. */
export interface Cell extends Scenario {
  readonly name: string;
}

const PLACES: readonly { readonly paths: 1 | 2; readonly place: Place }[] = [
  { paths: 1, place: 'all' },
  { paths: 2, place: 'all' },
  { paths: 2, place: 'initial' },
  { paths: 2, place: 'joined' },
];

/** Version 0 over IPv4 alone: its options are the same over IPv6. */
const NETWORKS: readonly { readonly ipv6: boolean; readonly version: 0 | 1 }[] = [
  { ipv6: false, version: 1 },
  { ipv6: true, version: 1 },
  { ipv6: false, version: 0 },
];

export const CELLS: readonly Cell[] = VARIANTS.flatMap((variant) =>
  NETWORKS.flatMap(({ ipv6, version }) =>
    PLACES.flatMap(({ paths, place }) =>
      [false, true].map((checksum) => {
        const parts = [variant.name, ipv6 ? 'ipv6' : 'ipv4', `${paths}sf`];
        if (place !== 'all') parts.push(place);
        if (checksum) parts.push('checksum');
        if (version === 0) parts.push('v0');
        return { name: `middleboxes/${parts.join('-')}`, variant, ipv6, paths, place, checksum, version };
      }),
    ),
  ),
);

/** The same transfers with plain TCP through the boxes of the path it takes: the first one. */
export function plainScenario({ variant, ipv6, place }: Scenario): Scenario {
  const bare = VARIANTS.find(({ name }) => name === 'none') ?? variant;
  return { variant: place === 'joined' ? bare : variant, ipv6, paths: 1, place: 'all', checksum: false, plain: true };
}

/**
 * Whether a cell went as it must. Both ends have the right bytes or both know an error; nothing is left in the pools.
 * Where a box puts other bytes in, they are read only where no DSS checksum can tell, or after a fallback because of
 * one, as with plain TCP (RFC 8684 section 3.7). Where plain TCP gets through, and where one path of two has no box, the
 * connection does, too.
 */
export function passed({ variant, paths, place, checksum }: Scenario, result: Result, plain: Result): boolean {
  const { outcome, bytes, wrong, leaks } = result;
  if (outcome === 'stuck' || leaks.length > 0) return false;
  const rewrites = variant.rewrites === true;
  if (bytes === 'altered' && !rewrites) return false;
  if (wrong !== '' && checksum) return false;
  if (outcome !== 'reset') return true;
  const through = plain.outcome !== 'reset' && plain.bytes === 'right';
  return !through && !(paths === 2 && place !== 'all');
}
