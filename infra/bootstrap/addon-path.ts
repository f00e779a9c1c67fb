import { existsSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { versions } from './versions.ts';

/** The node_modules folder that provisioning works on. */
export const modulesFolder = fileURLToPath(new URL('../../node_modules', import.meta.url));

/** Where tfjs-node looks for its addon. */
export const addonPath = (modules: string = modulesFolder): string =>
  join(modules, '@tensorflow/tfjs-node/lib', `napi-v${versions.tensorflow.napi}`, 'tfjs_binding.node');

/** The addon that quiets libtensorflow's log, beside the one we built; undefined beside a stock one. */
export const quietLogPath = (): string | undefined => {
  const addon = addonPath();
  if (!existsSync(addon)) return undefined;
  const beside = join(dirname(realpathSync(addon)), 'quiet_log.node');
  return existsSync(beside) ? beside : undefined;
};
