import { existsSync } from 'node:fs';
import { mkdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { fetchWheels } from '../../infra/bootstrap/fetch-wheels.ts';
import { filesOf, indexUrlIn, packageIndex } from '../../infra/bootstrap/package-index.ts';
import { compareVersions, extraRequirements, satisfies } from '../../infra/bootstrap/requirements.ts';
import { cudaWheels, tensorflowWheel } from '../../infra/bootstrap/tensorflow-library.ts';
import { atLeast } from '../../infra/bootstrap/versions.ts';
import { unzip, zipEntries } from '../../infra/bootstrap/zip.ts';
import { bareEnvironment, serve, sha256 } from '../helpers/bare-machine.ts';
import { tempFolder } from '../helpers/temp-folder.ts';
import { zipOf } from '../helpers/zip-writer.ts';

/** As the METADATA of TensorFlow 2.21.0 has them. */
const metadata = `Metadata-Version: 2.1
Name: tensorflow
Requires-Dist: absl-py>=1.0.0
Requires-Dist: gast!=0.5.0,!=0.5.1,!=0.5.2,>=0.2.1
Provides-Extra: and-cuda
Requires-Dist: nvidia-cublas-cu12<13.0,>=12.5.3.2; extra == "and-cuda"
Requires-Dist: nvidia-cudnn-cu12<10.0,>=9.3.0.75; extra == "and-cuda"
Requires-Dist: nvidia-nccl-cu12<3.0,>=2.27.7; extra == "and-cuda"

Requires-Dist: not-a-header; extra == "and-cuda"
`;

test('versions compare by number, not by letter', (t) => {
  t.true(atLeast('22.20.0', '22.20.0'));
  t.true(atLeast('24.1.0', '22.20.0'));
  t.false(atLeast('22.9.0', '22.20.0'));
  t.true(compareVersions('12.10', '12.9.1') > 0);
  t.is(compareVersions('1.2', '1.2.0'), 0);
});

test('version clauses hold as PEP 440 says', (t) => {
  const table: [version: string, specifier: string, holds: boolean][] = [
    ['12.5.3.2', '<13.0,>=12.5.3.2', true],
    ['13.0', '<13.0,>=12.5.3.2', false],
    ['12.9.1.4', '<13.0,>=12.5.3.2', true],
    ['2.21.0', '==2.21.0', true],
    ['2.21.1', '==2.21.*', true],
    ['2.211', '==2.21.*', false],
    ['2.21.1', '!=2.21.1', false],
    ['1.5.9', '~=1.4', true],
    ['2.0', '~=1.4', false],
    ['1.0rc1', '>=0.1', false],
    ['1.0', '', true],
  ];
  for (const [version, specifier, holds] of table)
    t.is(satisfies(version, specifier), holds, `${version} ${specifier}`);
  t.throws(() => satisfies('1.0', '===1.0'), { message: /not understood/ });
});

test('the CUDA wheels are those that the and-cuda extra names, and nothing of the text below', (t) => {
  t.deepEqual(cudaWheels(metadata), [
    { project: 'nvidia-cublas-cu12', specifier: '<13.0,>=12.5.3.2' },
    { project: 'nvidia-cudnn-cu12', specifier: '<10.0,>=9.3.0.75' },
    { project: 'nvidia-nccl-cu12', specifier: '<3.0,>=2.27.7' },
  ]);
  t.deepEqual(extraRequirements(metadata, 'tpu'), []);
  t.throws(() => cudaWheels('Name: tensorflow\n'), { name: 'BackendUnavailable' });
});

test('a platform without a wheel is told, with what to do', (t) => {
  t.is(tensorflowWheel('cpu', 'linux-x64').project, 'tensorflow-cpu');
  t.is(tensorflowWheel('gpu', 'linux-x64').specifier, '==2.21.0');
  t.throws(() => tensorflowWheel('gpu', 'darwin-arm64'), {
    name: 'BackendUnavailable',
    message: /UNDERSTUDY_TF=js/,
  });
});

test('zip archives are read: deflated, stored, empty, and with 64-bit sizes', async (t) => {
  const folder = await tempFolder(t);
  const archive = join(folder, 'a.whl');
  const text = 'tensor '.repeat(100_000);
  for (const wide of [false, true]) {
    const files = [
      { name: 'keep/deflated.so', text, wide },
      { name: 'keep/stored.h', text: 'short', stored: true, wide },
      { name: 'keep/empty.h', text: '', stored: true },
      { name: 'drop/this.py', text: 'no' },
    ];
    await writeFile(archive, zipOf(files));
    const out = join(folder, `out-${wide}`);
    const names = await unzip(archive, out, (name) => name.startsWith('keep/'));
    t.deepEqual(names, ['keep/deflated.so', 'keep/stored.h', 'keep/empty.h']);
    t.is(await readFile(join(out, 'keep/deflated.so'), 'utf8'), text);
    t.is(await readFile(join(out, 'keep/stored.h'), 'utf8'), 'short');
    t.is(await readFile(join(out, 'keep/empty.h'), 'utf8'), '');
    t.false(existsSync(join(out, 'drop')));
  }
});

test('a zip archive that is cut short, damaged, or reaches outside is refused', async (t) => {
  const folder = await tempFolder(t);
  const archive = join(folder, 'a.whl');
  const all = () => true;
  const good = zipOf([{ name: 'a.txt', text: 'hello hello hello', stored: true }]);
  await writeFile(archive, good);
  await truncate(archive, good.length - 10);
  await t.throwsAsync(zipEntries(archive), { message: /not a zip archive/ });
  const damaged = Buffer.from(good);
  damaged.write('j', damaged.indexOf('hello'));
  await writeFile(archive, damaged);
  await t.throwsAsync(unzip(archive, folder, all), { message: /a\.txt is damaged/ });
  await writeFile(archive, zipOf([{ name: '../../escape.txt', text: 'x' }]));
  await t.throwsAsync(unzip(archive, folder, all), { message: /outside/ });
});

test('the package index is the one that is configured', async (t) => {
  const folder = await tempFolder(t);
  const file = join(folder, 'pip.conf');
  await writeFile(
    file,
    '[install]\nindex-url = https://wrong/simple\n[global]\nindex-url=https://mirror/simple/\n',
  );
  t.is(await packageIndex({ pipIndexUrl: undefined }, [join(folder, 'none'), file]), 'https://mirror/simple');
  t.is(await packageIndex({ pipIndexUrl: 'https://given/simple' }, [file]), 'https://given/simple');
  await t.throwsAsync(packageIndex({ pipIndexUrl: undefined }, []), { message: /set PIP_INDEX_URL/ });
  t.is(indexUrlIn('# index-url = https://commented/\n'), undefined);
});

test('an index is understood in JSON and in HTML, and gets its credentials as a header', async (t) => {
  const digest = 'a'.repeat(64);
  const json = {
    files: [{ filename: 'p-1.0-py3-none-any.whl', url: '../../f/p-1.0.whl', hashes: { sha256: digest } }],
  };
  const html = `<a href="../../f/p-1.0-py3-none-any.whl#sha256=${digest}" data-x="&gt;1">p</a>`;
  const seen: (string | undefined)[] = [];
  const address = await serve(t, (request, response) => {
    seen.push(request.headers.authorization);
    const speaksJson = request.url?.startsWith('/json');
    response.setHeader('content-type', speaksJson ? 'application/vnd.pypi.simple.v1+json' : 'text/html');
    response.end(speaksJson ? JSON.stringify(json) : html);
  });
  const secret = address.replace('//', '//user:pa%40ss@');
  const [fromJson] = await filesOf('p', `${secret}/json/simple`);
  const [fromHtml] = await filesOf('p', `${address}/simple`);
  t.like(fromJson, { file: 'p-1.0-py3-none-any.whl', sha256: digest });
  t.is(fromJson?.url, `${secret}/json/f/p-1.0.whl`);
  t.deepEqual(fromHtml, {
    file: 'p-1.0-py3-none-any.whl',
    url: `${address}/f/p-1.0-py3-none-any.whl`,
    sha256: digest,
  });
  t.deepEqual(seen, [`Basic ${Buffer.from('user:pa@ss').toString('base64')}`, undefined]);
});

test('without Python the newest fitting wheel comes from the index, verified, or not at all', async (t) => {
  const machine = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
  const bytes = zipOf([{ name: 'nvidia/x/lib/libx.so', text: 'library' }]);
  const names = ['0.9', '1.2', '1.10', '2.0'].map(
    (v) => `nvidia_x-${v}-py3-none-manylinux2014_${machine}.whl`,
  );
  const offered = [...names, 'nvidia_x-1.11-py3-none-win_amd64.whl', 'nvidia_x-1.12.tar.gz'];
  let digest = sha256(bytes);
  const address = await serve(t, (request, response) => {
    if (request.url?.endsWith('/')) {
      response.setHeader('content-type', 'text/html');
      response.end(offered.map((name) => `<a href="/files/${name}#sha256=${digest}">${name}</a>`).join('\n'));
    } else response.end(bytes);
  });
  const folder = await tempFolder(t);
  const context = { environment: bareEnvironment(folder, { pipIndexUrl: address }), say: () => {} };
  const wanted = [{ project: 'nvidia-x', specifier: '<2.0,>=1.0' }];
  const target = join(folder, 'wheels');
  await mkdir(target);
  t.deepEqual(await fetchWheels(wanted, target, context), [
    join(target, `nvidia_x-1.10-py3-none-manylinux2014_${machine}.whl`),
  ]);
  digest = 'f'.repeat(64);
  await t.throwsAsync(fetchWheels(wanted, target, context), { message: /expected SHA-256 f+, got/ });
  t.false(existsSync(join(target, `nvidia_x-1.10-py3-none-manylinux2014_${machine}.whl`)));
  const none = [{ project: 'nvidia-x', specifier: '>=3' }];
  await t.throwsAsync(fetchWheels(none, target, context), { message: /no nvidia-x>=3 .*among its 6 files/ });
});
