import { createHash, randomFillSync } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { type Header, pack } from 'tar-stream';

/** What an author publishes; `tarball` and `metadata` stand in for what is made of `files`. */
export interface PublishedPackage {
  readonly name: string;
  readonly version?: string;
  /** Beside name and version in its `package.json`. */
  readonly manifest?: object;
  readonly files?: Readonly<Record<string, string | Buffer>>;
  readonly tarball?: Buffer;
  /** What the registry says of it and its `package.json` does not. */
  readonly told?: object;
  /** In place of what is true of its tarball. */
  readonly dist?: object;
  /** Answers the request for the tarball. */
  readonly serve?: (response: ServerResponse) => void;
}

/** A registry of npm on loopback. */
export interface NpmRegistry extends AsyncDisposable {
  /** Environment by which npm asks this registry. */
  readonly env: Readonly<Record<string, string>>;
  /** Paths that were asked for. */
  readonly requests: readonly string[];
  publish(published: PublishedPackage): Promise<void>;
  remove(name: string): void;
}

export async function startNpmRegistry(...published: readonly PublishedPackage[]): Promise<NpmRegistry> {
  const packages = new Map<string, Map<string, Published>>();
  const requests: string[] = [];
  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url ?? '').slice(1);
    requests.push(path);
    const [name = '', file] = path.split('/-/');
    const versions = packages.get(name);
    if (versions === undefined) return void response.writeHead(404).end('{}');
    if (file === undefined) return void response.end(JSON.stringify(describe(name, versions)));
    const found = versions.get(file.replace(/\.tgz$/, ''));
    if (found?.serve) return found.serve(response);
    response.writeHead(found === undefined ? 404 : 200).end(found?.tarball);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const publish = async (one: PublishedPackage): Promise<void> => {
    const { name, version = '1.0.0', manifest = {}, files = {}, told = {}, dist = {}, serve } = one;
    const json = { name, version, ...manifest };
    const tarball = one.tarball ?? (await toTarball({ 'package.json': JSON.stringify(json), ...files }));
    const versions = packages.get(name) ?? new Map();
    const described = { ...json, ...told };
    packages.set(name, versions.set(version, { json: described, tarball, dist, ...(serve && { serve }) }));
  };
  for (const one of published) await publish(one);

  return {
    env: {
      npm_config_registry: `${address}/`,
      npm_config_fetch_retries: '0',
      npm_config_fetch_timeout: '20000',
    },
    requests,
    publish,
    remove: (name) => void packages.delete(name),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
    },
  };

  function describe(name: string, versions: ReadonlyMap<string, Published>): object {
    const all = [...versions].map(([version, { json, tarball, dist }]) => {
      const integrity = `sha512-${createHash('sha512').update(tarball).digest('base64')}`;
      const own = { tarball: `${address}/${name}/-/${version}.tgz`, integrity };
      return [version, { ...json, dist: { ...own, ...dist } }];
    });
    return { name, 'dist-tags': { latest: all.at(-1)?.[0] }, versions: Object.fromEntries(all) };
  }
}

interface Published {
  readonly json: object;
  readonly dist: object;
  readonly tarball: Buffer;
  readonly serve?: (response: ServerResponse) => void;
}

/** Of a package: its files below `package/`. */
export async function toTarball(files: Readonly<Record<string, string | Buffer>>): Promise<Buffer> {
  return packEntries(Object.entries(files).map(([path, text]) => [{ name: `package/${path}` }, text]));
}

/** Whatever an attacker packs. */
export async function packEntries(entries: readonly TarEntry[]): Promise<Buffer> {
  const tar = pack();
  const packed = buffer(tar as AsyncIterable<Buffer>);
  // The same files are the same bytes at every time.
  for (const [header, content = ''] of entries) tar.entry({ mtime: new Date(0), ...header }, content);
  tar.finalize();
  return gzipSync(await packed);
}

export type TarEntry = readonly [Partial<Header> & Pick<Header, 'name'>, (string | Buffer)?];

/** Bytes that come to almost nothing when they are packed; npm refuses what is packed more than a thousand times smaller. */
export function almostZeros(megabytes: number): Buffer {
  const all = Buffer.alloc(megabytes * 1024 * 1024);
  for (let at = 0; at < all.length; at += 1024 * 1024) randomFillSync(all, at, 2048);
  return all;
}
