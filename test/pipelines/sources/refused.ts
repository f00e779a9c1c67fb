import { readdir } from 'node:fs/promises';
import test, { type ExecutionContext } from 'ava';
import { StageError } from '../../../schemas/errors.ts';
import { mimicFolder } from '../../helpers/mimic-folder.ts';
import { tempFolder } from '../../helpers/temp-folder.ts';
import { runExtract } from './run-extract.ts';

type Changes = Record<string, string | Uint8Array | null>;
type Prepare = Changes | ((folder: string) => Promise<void>);

/** Extraction of a changed source fails with exactly this; `FOLDER` stands for the source in the message. */
export const refused = test.macro({
  async exec(t: ExecutionContext, prepare: Prepare, name: string, message: string) {
    const source = await mimicFolder(t, typeof prepare === 'function' ? {} : prepare);
    if (typeof prepare === 'function') await prepare(source);
    const draft = await tempFolder(t);
    const error = await t.throwsAsync(runExtract(t, source, draft), { instanceOf: StageError, name });
    t.is(error?.message.replaceAll(source, 'FOLDER'), message);
    t.false((await readdir(draft)).includes('scratch'), 'scratch files are gone');
    t.false((await readdir(draft)).includes('extraction.json'));
  },
  title: (given) => `refused: ${given}`,
});
