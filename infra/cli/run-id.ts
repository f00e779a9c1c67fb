import { randomBytes } from 'node:crypto';

/** A workflow id that people can read and that no other run has: `nightly-20261121-084512-3f9a`. Time is UTC. */
export const runId = (name: string, now: Date): string => {
  const [day, time] = now.toISOString().replaceAll(/[-:]/g, '').split(/[T.]/);
  const words = name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 60);
  return `${words || 'run'}-${day}-${time}-${randomBytes(2).toString('hex')}`;
};
