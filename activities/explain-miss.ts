import type { Lineage } from '../schemas/artifact.ts';
import { canonicalJson } from '../schemas/canonical-json.ts';

/** More differences than this are counted and not listed. */
const mostListed = 4;

const leaves = (value: unknown, path: string, found: Map<string, string>): Map<string, string> => {
  if (typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length > 0)
    for (const [name, member] of Object.entries(value))
      leaves(member, path ? `${path}.${name}` : name, found);
  else found.set(path, canonicalJson(value));
  return found;
};

const short = (text: string | undefined): string => {
  if (text === undefined) return 'absent';
  return text.length > 40 ? `${text.slice(0, 39)}…` : text;
};

const changedParams = (before: Lineage, now: Lineage): string[] => {
  const [old, fresh] = [leaves(before.params, '', new Map()), leaves(now.params, '', new Map())];
  return [...new Set([...old.keys(), ...fresh.keys()])]
    .filter((path) => old.get(path) !== fresh.get(path))
    .map((path) => `param ${path} ${short(old.get(path))} -> ${short(fresh.get(path))}`);
};

const changedInputs = (before: Lineage, now: Lineage): string[] =>
  [...new Set([...Object.keys(before.inputs), ...Object.keys(now.inputs)])]
    .filter((slot) => canonicalJson(before.inputs[slot]) !== canonicalJson(now.inputs[slot]))
    .map((slot) => `input ${slot} changed`);

/** Why the cache has no result, as text: what differs from the last time this node was made. */
export const explainMiss = (before: Lineage | undefined, now: Lineage): string => {
  if (!before) return 'never run';
  const changes = [
    ...(before.version === now.version ? [] : [`stage version ${before.version} -> ${now.version}`]),
    ...changedParams(before, now),
    ...changedInputs(before, now),
    ...(before.fingerprint === now.fingerprint ? [] : ['source changed']),
    ...(before.code === now.code ? [] : ['code changed']),
    ...(before.engine === now.engine ? [] : [`engine ${before.engine} -> ${now.engine}`]),
  ];
  if (changes.length === 0) return 'the artifact made before is gone';
  const rest = changes.length - mostListed;
  return [...changes.slice(0, mostListed), ...(rest > 0 ? [`${rest} more`] : [])].join('; ');
};
