import { once } from 'node:events';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { Runtime } from '@temporalio/worker';
import test from 'ava';
import { connectClient, connectNative } from '../../infra/connect.ts';
import { startTemporal } from '../../infra/temporal.ts';
import { tempFolder } from '../helpers/temp-folder.ts';

test('a server goes on where it was after a restart, and tells nobody of itself', async (t) => {
  const folder = join(await tempFolder(t), 'temporal');
  const server = await startTemporal({ folder });
  t.teardown(() => server.stop());
  const ui = await fetch(server.ui ?? '');
  t.is(ui.status, 200);
  const { notifyOnNewVersion } = (await (await fetch(`${server.ui}/api/v1/settings`)).json()) as Record<
    string,
    unknown
  >;
  t.not(notifyOnNewVersion, true);

  const client = await connectClient({ address: server.address, namespace: 'default' });
  t.teardown(() => client.connection.close());
  await client.workflow.start('never', { taskQueue: 'nobody', workflowId: 'kept' });
  t.true(Number(new URL(`http://${server.address}`).port) < 32_768, 'no port that a client may be lent');
  await server.kill();
  const again = await server.restart();
  t.teardown(() => again.stop());
  t.is(again.address, server.address);
  t.is((await client.workflow.getHandle('kept').describe()).status.name, 'RUNNING');
});

test('a server that dies is told of with the end of its log', async (t) => {
  const folder = await tempFolder(t);
  const binary = join(folder, 'broken');
  await writeFile(binary, '#!/bin/sh\necho "no such shard" >&2; exit 3\n');
  await chmod(binary, 0o755);
  await t.throwsAsync(startTemporal({ folder, binary, uiPort: false }), {
    name: 'TemporalUnavailable',
    message: /ended with status 3:\nno such shard/,
  });
});

test('a port that is taken is told of', async (t) => {
  const folder = join(await tempFolder(t), 'temporal');
  await mkdir(folder);
  const taken = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
  await once(taken, 'listening');
  t.teardown(() => taken.close());
  const { port } = taken.address() as AddressInfo;
  await t.throwsAsync(startTemporal({ folder, port, uiPort: false }), {
    name: 'TemporalUnavailable',
    message: new RegExp(`ended with status 1:(.|\n)*${port}`),
  });
});

test('no server is TemporalUnavailable for clients and workers', async (t) => {
  // A runtime that never had a connection would keep the process from ending.
  t.teardown(() => Runtime.instance().shutdown());
  const nowhere = { address: '127.0.0.1:1', namespace: 'default' };
  for (const connect of [connectClient, connectNative])
    await t.throwsAsync<Error>(connect(nowhere), { name: 'TemporalUnavailable', message: /127\.0\.0\.1:1/ });
});
