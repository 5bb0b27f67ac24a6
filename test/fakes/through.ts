import type { MemoryPlace } from './memoryPlace.ts';

/** The same place, as one window reaches it: `moment` is called right before each call and right after it. */
export function through(place: MemoryPlace, moment: () => void): MemoryPlace {
  const pass: MemoryPlace['pass'] = async (providerId, call, ctx, work) => {
    moment();
    const result = await place.pass(providerId, call, ctx, work);
    moment();
    return result;
  };
  return new Proxy(place, {
    get: (target, key) => {
      if (key === 'pass') return pass;
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
