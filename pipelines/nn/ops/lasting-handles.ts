import type { NativeBinding } from './native-binding.ts';

/** Handles that outlive a scope, by whoever holds them. */
export interface LastingHolder {
  /** Takes new handles for all that it holds and deletes the old ones. */
  renew(): void;
}

/** Ids between two renewals: a quarter of all there are. */
const period = 2 ** 30;

/**
 * The addon numbers handles by a 32-bit counter that starts over. Where the next number is still in use it does not
 * skip it, but silently gives out the old array under it. A 12-layer model takes some 2,200 handles a step, so that is
 * after two million steps. Scopes end long before; what lives longer is renewed here, so no number is ever met again.
 */
class LastingHandles {
  readonly #holders = new Set<LastingHolder>();
  #since: number | undefined;

  join(holder: LastingHolder): void {
    this.#holders.add(holder);
  }
  leave(holder: LastingHolder): void {
    this.#holders.delete(holder);
  }

  /** Told the newest id whenever a scope has closed; renews what is due. */
  note(newest: number): void {
    this.#since ??= newest;
    // In 32 bits, as the counter counts. Negative where another holder has seen newer ones.
    if (((newest - this.#since) | 0) < period) return;
    this.#since = newest;
    for (const holder of this.#holders) holder.renew();
  }
}

const ofBinding = new WeakMap<NativeBinding, LastingHandles>();

/** The one register of an addon's lasting handles. */
export const lastingHandles = (binding: NativeBinding): LastingHandles => {
  const known = ofBinding.get(binding) ?? new LastingHandles();
  ofBinding.set(binding, known);
  return known;
};
