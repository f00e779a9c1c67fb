import { createHash } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { StageError } from '../../schemas/errors.ts';
import { askProgram, findProgram } from './find-program.ts';
import { publish } from './publish.ts';
import { runProgram } from './run-program.ts';
import type { Variant } from './tensorflow-library.ts';
import { platform, versions } from './versions.ts';

/** What decides whether a built addon still serves; a compiler's version may differ and it does. */
export const recipeSchema = z.object({
  variant: z.enum(['cpu', 'gpu']),
  tensorflow: z.string(),
  tfjsNode: z.string(),
  sources: z.string(),
  platform: z.string(),
  library: z.string(),
});
export type Recipe = z.output<typeof recipeSchema>;

const compilers = ['g++', 'c++', 'clang++'];

/** The first C++ compiler on PATH, or undefined. */
export const findCompiler = async (path: string): Promise<string | undefined> => {
  for (const name of compilers) {
    const found = await findProgram(name, path);
    if (found) return found;
  }
  return undefined;
};

const versionIn = async (folder: string): Promise<string> => {
  const file = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
  return z.object({ version: z.string() }).parse(file).version;
};

const quietLog = fileURLToPath(new URL('./quiet-log.cc', import.meta.url));

const digestSources = async (folder: string): Promise<string> => {
  const hash = createHash('sha256');
  const files = (await readdir(folder)).sort().map((name) => join(folder, name));
  for (const file of [...files, quietLog]) hash.update(basename(file)).update(await readFile(file));
  return hash.digest('hex');
};

/** What the addon of `variant` would be made of now. `modules` is the node_modules folder. */
export const recipeOf = async (variant: Variant, library: string, modules: string): Promise<Recipe> => {
  const tfjsNode = join(modules, '@tensorflow', 'tfjs-node');
  return {
    variant,
    tensorflow: versions.tensorflow.version,
    tfjsNode: await versionIn(tfjsNode),
    sources: await digestSources(join(tfjsNode, 'binding')),
    platform,
    library,
  };
};

/** The compiler's arguments for each of the two addons, by the file each makes. */
const commands = ({ library }: Recipe, modules: string): [file: string, args: string[]][] => {
  const tfjsNode = join(modules, '@tensorflow', 'tfjs-node');
  const home = join(library, 'tensorflow');
  const framework = join(home, 'libtensorflow_framework.so.2');
  const common = [
    ...['-O2', '-std=c++17', '-fPIC', '-shared', `-DNAPI_VERSION=${versions.tensorflow.napi}`],
    ...[join(modules, 'node-api-headers', 'include'), tfjsNode, join(home, 'include')].map((at) => `-I${at}`),
    `-Wl,-rpath,${home}`,
  ];
  const sources = ['tfjs_backend.cc', 'tfjs_binding.cc'].map((name) => join(tfjsNode, 'binding', name));
  return [
    ['quiet_log.node', [...common, quietLog]],
    ['tfjs_binding.node', [...common, ...sources, join(home, 'libtensorflow_cc.so.2'), framework]],
  ];
};

const compile = async (compiler: string, args: string[], signal?: AbortSignal): Promise<void> => {
  const { code, output } = await runProgram(compiler, args, signal ? { signal } : {});
  if (code !== 0)
    throw new StageError(
      'BackendUnavailable',
      `${compiler} could not compile the TensorFlow addon (status ${code}):\n${output.trim()}`,
    );
};

/** Compiles the addon into the cache unless that very build is there; gives back its folder. */
export const buildAddon = async (
  recipe: Recipe,
  options: { cache: string; path: string; modules: string; signal?: AbortSignal },
): Promise<string> => {
  const compiler = await findCompiler(options.path);
  if (!compiler)
    throw new StageError(
      'BackendUnavailable',
      `no C++ compiler on PATH (looked for ${compilers.join(', ')}), and TensorFlow's addon must be compiled: ` +
        'install one (Debian, Ubuntu: apt-get install g++; Fedora, RHEL: dnf install gcc-c++)',
    );
  const compilerVersion = (await askProgram(compiler, ['--version'])) ?? '';
  const key = createHash('sha256')
    .update(JSON.stringify([recipe, compilerVersion]))
    .digest('hex')
    .slice(0, 16);
  return publish(join(options.cache, 'addon', key), async (draft) => {
    for (const [file, args] of commands(recipe, options.modules))
      await compile(compiler, [...args, '-o', join(draft, file)], options.signal);
    await writeFile(join(draft, 'recipe.json'), JSON.stringify(recipe, null, 2));
  });
};
