import { spawnSync } from 'node:child_process';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { outputFile, outputFolder } from '../../infra/output.ts';
import { tempFolder } from '../helpers/temp-folder.ts';

const text = (path: string) => readFile(path, 'utf8');

test('a file appears whole, made of bytes or by a function, and nothing is left beside it', async (t) => {
  const folder = await tempFolder(t);
  const [plain, made] = [join(folder, 'new', 'a.txt'), join(folder, 'b.txt')];
  const first = await outputFile(plain, false);
  t.false((await readdir(join(folder, 'new'))).includes('a.txt'), 'not before it is published');
  await first.publish('a');
  await first.discard();
  const second = await outputFile(made, false);
  await second.publish(async ({ folder, name, scratch }) => {
    await mkdir(scratch);
    await writeFile(join(scratch, 'half'), 'b');
    await writeFile(join(folder, name), await text(join(scratch, 'half')));
  });
  await second.discard();
  t.is(await text(plain), 'a');
  t.is(await text(made), 'b');
  t.deepEqual((await readdir(folder)).sort(), ['b.txt', 'new']);
  t.deepEqual(await readdir(join(folder, 'new')), ['a.txt']);
});

test('a file that came meanwhile is not replaced without --force', async (t) => {
  const path = join(await tempFolder(t), 'a.txt');
  const late = await outputFile(path, false);
  await writeFile(path, 'of another command');
  await t.throwsAsync(late.publish('late'), { name: 'InvalidUsage', message: /is there already: .*--force/ });
  await late.discard();
  t.is(await text(path), 'of another command');
  await t.throwsAsync(outputFile(path, false), { name: 'InvalidUsage', message: /is there already/ });
  const forced = await outputFile(path, true);
  await forced.publish('replaced');
  await forced.discard();
  t.is(await text(path), 'replaced');
});

test('a folder in the place of a file is left, before the work and after it', async (t) => {
  const folder = await tempFolder(t);
  const wrong = { name: 'InvalidUsage', message: /is a folder; expected a file/ };
  await t.throwsAsync(outputFile(folder, true), wrong);
  const file = await outputFile(join(folder, 'a'), true);
  await mkdir(join(folder, 'a'));
  await t.throwsAsync(file.publish('x'), wrong);
  await file.discard();
  t.deepEqual(await readdir(folder), ['a']);
});

test('a folder that came meanwhile is not replaced without --force, nor one with files of others', async (t) => {
  const path = join(await tempFolder(t), 'made');
  const late = await outputFolder(path, ['x'], false);
  await mkdir(path);
  await writeFile(join(path, 'x'), 'of another command');
  await t.throwsAsync(late.publish({ x: 'late' }), { name: 'InvalidUsage', message: /is there already/ });
  await late.discard();
  const forced = await outputFolder(path, ['x'], true);
  await forced.publish({ x: 'replaced' });
  await forced.discard();
  t.is(await text(join(path, 'x')), 'replaced');
  const again = await outputFolder(path, ['x'], true);
  await writeFile(join(path, 'notes'), 'mine');
  await t.throwsAsync(again.publish({ x: 'y' }), { name: 'InvalidUsage', message: /other files than ours/ });
  await again.discard();
  t.deepEqual((await readdir(path)).sort(), ['notes', 'x']);
});

test('what cannot be written is StoreUnavailable with the path and the reason', async (t) => {
  const folder = await tempFolder(t);
  await writeFile(join(folder, 'file'), '');
  const place = join(folder, 'file', 'a');
  const wrong = {
    name: 'StoreUnavailable',
    message: `${place} cannot be written: a part of its path is a file (ENOTDIR)`,
  };
  await t.throwsAsync(outputFile(place, false), wrong);
  const file = await outputFile(join(folder, 'b'), false);
  const full = new Error('IO Error: Could not write file "b": No space left on device');
  await t.throwsAsync(
    file.publish(() => Promise.reject(full)),
    {
      name: 'StoreUnavailable',
      message: `${join(folder, 'b')} cannot be written: the disk is full (ENOSPC)`,
    },
  );
  const bug = new Error('not of the disk');
  t.is(await t.throwsAsync(file.publish(() => Promise.reject(bug))), bug);
  await t.throwsAsync(
    file.publish(async () => undefined),
    { name: 'StoreUnavailable', message: /ENOENT/ },
  );
  await file.discard();
  t.deepEqual(await readdir(folder), ['file']);
});

test('a limit of the system leaves the old file and nothing else', async (t) => {
  const folder = await tempFolder(t);
  const path = join(folder, 'a');
  await writeFile(path, 'old');
  const limited = `
    import { outputFile } from ${JSON.stringify(new URL('../../infra/output.ts', import.meta.url).href)};
    process.on('SIGXFSZ', () => {});
    const file = await outputFile(${JSON.stringify(path)}, true);
    await file.publish(new Uint8Array(1 << 20)).catch((error) => console.log(error.name, error.message));
    await file.discard();`;
  const shell = 'ulimit -f 64; exec "$0" --input-type=module -e "$1"';
  const { stdout } = spawnSync('sh', ['-c', shell, process.execPath, limited], { encoding: 'utf8' });
  t.regex(stdout, /^StoreUnavailable .*\/a cannot be written: .* \(EFBIG\)/);
  t.is(await text(path), 'old');
  t.deepEqual(await readdir(folder), ['a']);
});
