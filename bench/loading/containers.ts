import { type Duplex, PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import type Docker from 'dockerode';
import { pack as createPack } from 'tar-stream';
import { addToTar } from '../../src/image/layer.ts';
import type { Timing } from '../peers/peer.ts';
import { type Subject, toPeerOptions } from '../peers/subject.ts';
import type { Files } from './files.ts';

/** An image with more files in it, by its id. It has no name; whoever asks for it removes it. */
export async function addFiles(docker: Docker, image: string, files: Files): Promise<string> {
  const pack = createPack();
  const filled = (async () => {
    for (const [path, content] of Object.entries(files))
      await addToTar(pack, { name: path.replace(/^\//, ''), mode: 0o644 }, Buffer.from(content));
    pack.finalize();
  })();
  // Nothing runs in it.
  const container = await docker.createContainer({ Image: image });
  try {
    const archive = new PassThrough();
    await Promise.all([
      filled,
      pipeline(pack as AsyncIterable<Buffer>, archive),
      container.putArchive(archive, { path: '/' }),
    ]);
    return (await container.commit({})).Id;
  } finally {
    await container.remove({ force: true });
  }
}

/** An image goes with the last one that stands on it, so that it may be gone already. */
export async function removeImage(docker: Docker, image: string): Promise<void> {
  await docker
    .getImage(image)
    .remove({ force: true })
    .catch((error: { statusCode?: number }) => {
      if (error.statusCode !== 404) throw error;
    });
}

/** Runs a container of the subject until it ends by itself; it gets nothing to read. */
export async function runToEnd(subject: Subject): Promise<Timing & { readonly stderr: string }> {
  const startedAt = performance.now();
  const container = await subject.docker.createContainer(toPeerOptions(subject));
  try {
    const streams = { stream: true, stdin: true, stdout: true, stderr: true, hijack: true };
    const socket = (await container.attach(streams)) as Duplex;
    const stderr = new PassThrough();
    subject.docker.modem.demuxStream(socket, new PassThrough().resume(), stderr);
    socket.on('end', () => stderr.end());
    await container.start();
    const told = await text(stderr);
    const resultMs = performance.now() - startedAt;
    await container.wait();
    await container.remove();
    return { startedAt, resultMs, goneMs: performance.now() - startedAt, ownMs: 0, stderr: told };
  } catch (error) {
    await container.remove({ force: true }).catch(() => {});
    throw error;
  }
}
