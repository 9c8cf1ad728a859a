import Docker from 'dockerode';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LABELS } from '../../src/labels.ts';
import { type ChaosProxy, createChaosProxy } from '../helpers/chaos-proxy.ts';
import { createPrivateEngine, type PrivateEngine } from '../helpers/private-engine.ts';
import { toContext } from '../helpers/workspace.ts';
import {
  BY_HAND,
  createEngineStage,
  type EngineStage,
  expectWell,
  KILLED,
  NETWORK_REMOVED,
  removeImages,
  runEngineFault,
  SHIM_KILLED,
  STOPPED,
} from '../scenarios/engine-faults.ts';

let engine: PrivateEngine;
let proxy: ChaosProxy;
let stage: EngineStage;
beforeAll(async () => {
  engine = await createPrivateEngine();
  proxy = await createChaosProxy(engine.socketPath);
  stage = await createEngineStage(engine, { name: 'engine-faults', proxy });
});
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
  await proxy[Symbol.asyncDispose]();
  await engine[Symbol.asyncDispose]();
});

describe('while plugins run', () => {
  test.each([STOPPED, KILLED, SHIM_KILLED, ...BY_HAND])(
    '$title: each gets one typed outcome, nothing is left, and the next call works (P1, P2)',
    (fault) => runEngineFault(stage, fault),
  );
});

describe('an image that is removed by hand', () => {
  test('between two calls is built again', async () => {
    await removeImages(stage);
    await expectWell(stage);
  });

  test('between the check for it and the create call is IMAGE_MISSING, and there for the next call (P1, P2)', async () => {
    let removal: Promise<void> | undefined;
    proxy.chaos = (call) => {
      if (call !== 'createContainer' || removal !== undefined) return null;
      removal = removeImages(stage);
      return 'slow';
    };
    const result = await stage.plugin.call(toContext(() => 'never'));
    expect(result).toMatchObject({
      outcome: 'IMAGE_MISSING',
      error: { message: expect.stringContaining('Build it again') },
    });
    await removal;
    await expectWell(stage);
  });
});

test('an engine that is away gives ENGINE_UNAVAILABLE, and the same lurkbox works when it is back (P1)', async () => {
  await using direct = await createEngineStage(engine, { name: 'engine-faults-direct' });
  await engine.stop();
  // Connections that were kept open break first, one at each call.
  let result = await direct.plugin.lurkbox.plugins.executePlugin('engine-faults-direct');
  for (let tries = 0; tries < 10 && !result.error?.message.includes('Start the engine'); tries++)
    result = await direct.plugin.lurkbox.plugins.executePlugin('engine-faults-direct');
  expect(result).toMatchObject({
    outcome: 'ENGINE_UNAVAILABLE',
    error: { message: expect.stringContaining('Start the engine') },
  });
  await engine.start();
  await expectWell(direct);
});

test('an engine that replaces another, without its images, serves the same lurkbox (P1, P2)', async () => {
  await using other = await createPrivateEngine();
  const before = proxy.enginePath;
  await engine.stop();
  proxy.enginePath = other.socketPath;
  try {
    const first = await stage.plugin.lurkbox.plugins.executePlugin(
      'engine-faults',
      toContext(() => 'well'),
    );
    expect(first).toMatchObject({ outcome: 'OK', result: 'well' });
    const images = await new Docker({ socketPath: other.socketPath }).listImages();
    expect(images.map(({ Labels }) => Labels[LABELS.plugin])).toContain('engine-faults');
    await expectWell({ ...stage, engine: other });
  } finally {
    proxy.enginePath = before;
    await engine.start();
  }
  await expectWell(stage);
});

// The last one: an engine of version 20.10 that is restarted after this does not come up again.
test('plugins go on when their networks are removed by hand, and nothing is left (P1, P2)', async () => {
  await using bridged = await createEngineStage(engine, { name: 'engine-faults-bridged', network: true });
  await runEngineFault(bridged, NETWORK_REMOVED);
});
