import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, readlink, rename, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { StageError } from '../../schemas/errors.ts';
import type { Environment } from '../env.ts';
import { addonPath, modulesFolder } from './addon-path.ts';
import { buildAddon, type Recipe, recipeOf, recipeSchema } from './build-addon.ts';
import type { FetchContext } from './fetch-wheels.ts';
import { withLock } from './lock.ts';
import { probeBackend } from './probe.ts';
import { step } from './report.ts';
import { ensureLibrary, libraryHome, type Variant } from './tensorflow-library.ts';
import { versions } from './versions.ts';

const same = (a: Recipe, b: Recipe) => JSON.stringify(a) === JSON.stringify(b);

const recipeAt = async (folder: string): Promise<Recipe | undefined> => {
  const text = await readFile(join(folder, 'recipe.json'), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : recipeSchema.safeParse(JSON.parse(text)).data;
};

/** Which variant, of those that would do, an addon folder of the cache was built as, if it still fits. */
const fits = async (folder: string, wanted: readonly Recipe[]): Promise<boolean> => {
  const recipe = await recipeAt(folder);
  if (!recipe || !existsSync(join(folder, 'tfjs_binding.node')) || !existsSync(recipe.library)) return false;
  return wanted.some((one) => same(one, recipe));
};

/** Points tfjs-node at an addon of the cache, atomically: a running process never sees half a file. */
const install = async (folder: string, path: string): Promise<void> => {
  await mkdir(dirname(path), { recursive: true });
  const draft = `${path}.${randomBytes(4).toString('hex')}`;
  await symlink(join(folder, 'tfjs_binding.node'), draft);
  await rename(draft, path);
};

const inCache = async (cache: string, wanted: readonly Recipe[]): Promise<string | undefined> => {
  const home = join(cache, 'addon');
  for (const name of await readdir(home).catch(() => []))
    if (await fits(join(home, name), wanted)) return join(home, name);
  return undefined;
};

/** The variants that answer a wish: the GPU build computes on the CPU as well. */
const variantsFor = (wish: Environment['tensorflow']): Variant[] =>
  wish === 'gpu' ? ['gpu'] : ['cpu', 'gpu'];

/** True when the installed addon is the one we would install, or a foreign one that loads. Fast where it is ours. */
const installed = async (path: string, wanted: readonly Recipe[], gpu: boolean): Promise<boolean> => {
  if (!existsSync(path)) return false;
  const target = await readlink(path).catch(() => undefined);
  if (target !== undefined) return fits(dirname(target), wanted);
  const probed = await probeBackend(gpu ? 'gpu' : 'cpu');
  return probed.ok;
};

/**
 * Makes native TensorFlow loadable from `modules`: keeps an addon that serves, else takes one from the cache,
 * else fetches libtensorflow and compiles. Throws BackendUnavailable with the fix. `js` asks for nothing.
 */
export const ensureTensorflow = async (context: FetchContext, modules = modulesFolder): Promise<string> => {
  const { environment, say, signal } = context;
  if (environment.tensorflow === 'js') return 'not asked for (UNDERSTUDY_TF=js)';
  const path = addonPath(modules);
  const variants = variantsFor(environment.tensorflow);
  const wanted: Recipe[] = [];
  for (const variant of variants)
    wanted.push(await recipeOf(variant, libraryHome(environment.cache, variant), modules));
  const [first] = wanted;
  if (!first) throw new Error('no variant of TensorFlow to provision');
  if (await installed(path, wanted, environment.tensorflow === 'gpu')) return 'ready';
  return withLock(environment.cache, say, async () => {
    const cached = await inCache(environment.cache, wanted);
    if (cached) {
      await install(cached, path);
      return 'ready, from the cache';
    }
    const title = `TensorFlow ${versions.tensorflow.version} for ${first.variant}`;
    await step(`${title}: fetching libtensorflow`, say, () => ensureLibrary(first.variant, context));
    const options = { cache: environment.cache, path: environment.path, modules };
    const folder = await step(`${title}: compiling the addon`, say, () =>
      buildAddon(first, signal ? { ...options, signal } : options),
    );
    await install(folder, path);
    const probed = await probeBackend('cpu');
    if (!probed.ok)
      throw new StageError(
        'BackendUnavailable',
        `the TensorFlow addon was built but fails: ${probed.problem}`,
      );
    return 'built';
  });
};
