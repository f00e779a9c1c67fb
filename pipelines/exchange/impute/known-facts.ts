import { StageError } from '../../../schemas/errors.ts';
import type { Sampler } from '../../generation/generator.ts';
import type { Demographic } from '../../patients/visit-columns.ts';

type Features = NonNullable<Sampler['features']>;

const wrong = (message: string): StageError => new StageError('InvalidUsage', message);

/** `age (a number), sex (F or M)` */
const featureList = (features: Features): string =>
  Object.entries(features)
    .map(([name, levels]) => `${name} (${levels === 'numeric' ? 'a number' : levels.join(', ')})`)
    .join('; ');

/**
 * The same facts for every patient, out of `name=value` texts, as a fitted model takes them. Throws InvalidUsage
 * for a name or a level that it does not know, telling those it does.
 */
export const knownFacts = (
  texts: readonly string[],
  features: Features | undefined,
  patients: number,
  generator: string,
): Record<string, Demographic> => {
  const facts: Record<string, Demographic> = {};
  for (const text of texts) {
    const at = text.indexOf('=');
    const [name, value] = [text.slice(0, at).trim(), text.slice(at + 1).trim()];
    if (at < 1 || value === '')
      throw wrong(`expected NAME=VALUE, such as sex=F, and found ${JSON.stringify(text)}`);
    const levels = features?.[name];
    if (!features || Object.keys(features).length === 0)
      throw wrong(`this model (${generator}) was fitted to no demographics, so it cannot take ${name}`);
    if (levels === undefined)
      throw wrong(`this model (${generator}) does not know ${name}; it takes ${featureList(features)}`);
    if (name in facts) throw wrong(`${name} is given twice`);
    if (levels === 'numeric') {
      if (!Number.isFinite(Number(value)))
        throw wrong(`${name} should be a number, found ${JSON.stringify(value)}`);
      facts[name] = { kind: 'numeric', values: new Float32Array(patients).fill(Number(value)) };
      continue;
    }
    if (!levels.includes(value))
      throw wrong(`${name} should be one of ${levels.join(', ')}, found ${JSON.stringify(value)}`);
    facts[name] = { kind: 'categorical', levels: [value], values: new Int32Array(patients) };
  }
  return facts;
};
