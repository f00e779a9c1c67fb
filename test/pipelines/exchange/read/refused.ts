import test, { type ExecutionContext } from 'ava';
import { StageError } from '../../../../schemas/errors.ts';
import { tempFolder } from '../../../helpers/temp-folder.ts';
import { put, read } from './layouts.ts';

/** Reading what `make` wrote fails with this message, in which FOLDER stands for the folder. */
export const refused = test.macro({
  async exec(
    t: ExecutionContext,
    make: (folder: string) => Promise<string>,
    name: 'SourceMissing' | 'SourceMalformed',
    message: RegExp,
  ) {
    const folder = await tempFolder(t);
    const path = await make(folder);
    const error = await t.throwsAsync(read(folder, path), { instanceOf: StageError, name });
    t.regex(error?.message.replaceAll(folder, 'FOLDER') ?? '', message);
    t.notRegex(error?.message ?? '', /SECRET/, 'no cell of a patient in a message');
  },
  title: (given) => `refused: ${given}`,
});

/** Writes one file. */
export const file = (name: string, text: string) => (folder: string) => put(folder, name, text);
export const malformed = 'SourceMalformed';
